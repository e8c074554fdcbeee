// node connect-mongodb-session.js <url>
const { serve, session } = require('./site.js')
const Store = require('connect-mongodb-session')(session)

const store = new Store({ uri: process.argv[2], collection: 'sessions' })
store.on('error', () => {})
store.initialConnectionPromise.then(() => serve(store))
