// A site of express-session and connect-mongo: node connect-mongo.js <url> <options of MongoStore as JSON>
// GET /?set={...} puts keys into the session, GET / shows it, GET /?destroy= ends it.
// GET /?odd= puts in what JSON has no name for.
const http = require('http')
const session = require('express-session')
const { MongoStore } = require('connect-mongo')

const [mongoUrl, options] = process.argv.slice(2)
const middleware = session({
  secret: 'a secret that is long enough for tests!',
  resave: false,
  saveUninitialized: false,
  cookie: { maxAge: 86400000 },
  store: MongoStore.create({ mongoUrl, ...JSON.parse(options) })
})

http.createServer((request, response) => {
  const query = new URL(request.url, 'http://localhost').searchParams
  request.originalUrl = request.url
  middleware(request, response, error => {
    const answer = () => response.end(error ? String(error) : JSON.stringify(request.session ?? null))
    if (error) response.statusCode = 500
    if (query.has('set')) Object.assign(request.session, JSON.parse(query.get('set')))
    if (query.has('odd')) {
      Object.assign(request.session, {
        date: new Date(1234567890123), dates: [new Date(0), 1], nan: NaN, zero: -0, big: 2 ** 53 - 1, bigger: 2 ** 60,
        undef: undefined, bytes: Buffer.from('zoë'), exponent: 1e21, deep: { when: new Date(-1), infinite: Infinity }
      })
    }
    if (query.has('destroy')) return request.session.destroy(answer)
    answer()
  })
}).listen(0, '127.0.0.1', function () { console.log(this.address().port) })

// Whoever started it has ended, however that came.
process.stdin.on('end', () => process.exit()).resume()
