// node knex-store.js <client of knex> <url>
const { serve, session } = require('./site.js')
const { ConnectSessionKnexStore } = require('connect-session-knex')
const knex = require('knex')

const [client, connection] = process.argv.slice(2)
serve(new ConnectSessionKnexStore({ knex: knex({ client, connection }), cleanupInterval: 0 }))
