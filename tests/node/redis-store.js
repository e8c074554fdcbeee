// A site of express-session and connect-redis: node redis-store.js <url> <maxAge in milliseconds, or nothing>
// GET /?set={...} puts keys into the session, GET / shows it, GET /?destroy= ends it. GET /?ids= lists all.
const http = require('http')
const session = require('express-session')
const { RedisStore } = require('connect-redis')
const { createClient } = require('redis')

const [url, maxAge] = process.argv.slice(2)
const client = createClient({ url })
const store = new RedisStore({ client })
const middleware = session({
  secret: 'a secret that is long enough for tests!',
  resave: false,
  saveUninitialized: false,
  cookie: maxAge ? { maxAge: Number(maxAge) } : {},
  store
})

const server = http.createServer((request, response) => {
  const query = new URL(request.url, 'http://localhost').searchParams
  request.originalUrl = request.url
  middleware(request, response, error => {
    const answer = () => response.end(error ? String(error) : JSON.stringify(request.session ?? null))
    if (error) response.statusCode = 500
    if (query.has('ids')) return store.ids((error, ids) => response.end(JSON.stringify(error ? String(error) : ids)))
    if (query.has('set')) Object.assign(request.session, JSON.parse(query.get('set')))
    if (query.has('destroy')) return request.session.destroy(answer)
    answer()
  })
})
client.connect().then(() => server.listen(0, '127.0.0.1', function () { console.log(this.address().port) }))

// Whoever started it has ended, however that came.
process.stdin.on('end', () => process.exit()).resume()
