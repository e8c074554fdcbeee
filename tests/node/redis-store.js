// node redis-store.js <url> [prefix]
// GET /?ids= lists all sessions.
const { serve } = require('./site.js')
const { RedisStore } = require('connect-redis')
const { createClient } = require('redis')

const client = createClient({ url: process.argv[2] })
const prefix = process.argv[3]
const store = new RedisStore(prefix === undefined ? { client } : { client, prefix })
client.connect().then(() => serve(store, { cookie: { maxAge: 3600000 }, words: { ids: () => store.ids() } }))
