// node memcached-store.js <host:port>
const { serve, session } = require('./site.js')
const MemcachedStore = require('connect-memcached')(session)

serve(new MemcachedStore({ hosts: process.argv[2] }))
