// A site of express-session whose sessions are in a database:
//   node database-store.js postgresql <url>         connect-pg-simple
//   node database-store.js mysql <port>             express-mysql-session
// GET /?set={...} puts keys into the session, GET / shows it, GET /?destroy= ends it.
const http = require('http')
const session = require('express-session')

const stores = {
  postgresql: url => new (require('connect-pg-simple')(session))({ conString: url, pruneSessionInterval: false }),
  mysql: port => new (require('express-mysql-session')(session))({
    host: '127.0.0.1', port: Number(port), user: 'root', database: 'test', clearExpired: false
  })
}

const [kind, place] = process.argv.slice(2)
const middleware = session({
  secret: 'a secret that is long enough for tests!',
  resave: false,
  saveUninitialized: false,
  cookie: { maxAge: 3600000 },
  store: stores[kind](place)
})

http.createServer((request, response) => {
  const query = new URL(request.url, 'http://localhost').searchParams
  request.originalUrl = request.url
  middleware(request, response, error => {
    const answer = () => response.end(error ? String(error) : JSON.stringify(request.session ?? null))
    if (error) response.statusCode = 500
    if (query.has('set')) Object.assign(request.session, JSON.parse(query.get('set')))
    if (query.has('destroy')) return request.session.destroy(answer)
    answer()
  })
}).listen(0, '127.0.0.1', function () { console.log(this.address().port) })

// Whoever started it has ended, however that came.
process.stdin.on('end', () => process.exit()).resume()
