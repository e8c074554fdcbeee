// node redis-store.js <url>
// GET /?ids= lists all sessions.
const { serve } = require('./site.js')
const { RedisStore } = require('connect-redis')
const { createClient } = require('redis')

const client = createClient({ url: process.argv[2] })
const store = new RedisStore({ client })
client.connect().then(() => serve(store, { cookie: { maxAge: 3600000 }, words: { ids: () => store.ids() } }))
