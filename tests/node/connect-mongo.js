// node connect-mongo.js <url> <options of MongoStore as JSON, and perhaps a cookie>
// GET /?odd= puts in what JSON has no name for.
const { serve } = require('./site.js')
const { MongoStore } = require('connect-mongo')

const [mongoUrl, given] = process.argv.slice(2)
const { cookie = { maxAge: 86400000 }, ...options } = JSON.parse(given)
serve(MongoStore.create({ mongoUrl, ...options }), {
  cookie,
  words: {
    odd: session => {
      Object.assign(session, {
        date: new Date(1234567890123), dates: [new Date(0), 1], nan: NaN, zero: -0, big: 2 ** 53 - 1, bigger: 2 ** 60,
        undef: undefined, bytes: Buffer.from('zoë'), exponent: 1e21, deep: { when: new Date(-1), infinite: Infinity }
      })
    }
  }
})
