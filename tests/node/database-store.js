// node database-store.js postgresql <url>         connect-pg-simple
// node database-store.js mysql <port>             express-mysql-session
const { serve, session } = require('./site.js')

const stores = {
  postgresql: url => new (require('connect-pg-simple')(session))({ conString: url, pruneSessionInterval: false }),
  mysql: port => new (require('express-mysql-session')(session))({
    host: '127.0.0.1', port: Number(port), user: 'root', database: 'test', clearExpired: false
  })
}

const [kind, place] = process.argv.slice(2)
serve(stores[kind](place), { cookie: { maxAge: 3600000 } })
