// connect-mongo whose sessions are encrypted: node webcrypto-store.js <url> <options of createWebCryptoAdapter> <of MongoStore>
const { serve } = require('./site.js')
const { MongoStore, createWebCryptoAdapter } = require('connect-mongo')

const [mongoUrl, crypto, options] = process.argv.slice(2)
const cryptoAdapter = createWebCryptoAdapter(JSON.parse(crypto))
serve(MongoStore.create({ mongoUrl, cryptoAdapter, ...JSON.parse(options) }))
