// node loki-store.js <file>
// GET /?save= writes the file at once, which LokiJS does every five seconds.
const { serve, session } = require('./site.js')
const LokiStore = require('connect-loki')(session)

const store = new LokiStore({ path: process.argv[2] })
const save = () => new Promise(resolve => store.client.saveDatabase(() => resolve({})))
store.once('connect', () => serve(store, { words: { save } }))
