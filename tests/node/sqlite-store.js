// node sqlite-store.js <package> <file>
const path = require('node:path')
const { serve, session } = require('./site.js')

const [name, file] = process.argv.slice(2)
if (name === 'connect-sqlite3') {
  const Store = require('connect-sqlite3')(session)
  serve(new Store({ dir: path.dirname(file), db: path.basename(file), concurrentDb: true }))
} else if (name === 'better-sqlite3-session-store') {
  const Store = require('better-sqlite3-session-store')({ Store: session.Store })
  serve(new Store({ client: require('better-sqlite3')(file) }))
} else if (name === 'connect-session-knex') {
  const knex = require('knex')({ client: 'sqlite3', connection: { filename: file }, useNullAsDefault: true })
  const { ConnectSessionKnexStore } = require('connect-session-knex')
  serve(new ConnectSessionKnexStore({ knex, cleanupInterval: 0 }))
} else {
  require('./orms.js')[name]('sqlite', file).then(store => serve(store))
}
