// A site of express-session with one store, for the tests that stand beside it.
// GET /?set={...} puts keys into the session, GET / shows it, GET /?maxAge=ms gives it a life, GET /?destroy= ends it.
const http = require('node:http')
const session = require('express-session')

exports.session = session

exports.serve = (store) => {
  const middleware = session({
    secret: 'a secret that is long enough for tests!', resave: false, saveUninitialized: false, store
  })
  http.createServer((request, response) => {
    const query = new URL(request.url, 'http://localhost').searchParams
    middleware(request, response, error => {
      const answer = () => response.end(error ? String(error) : JSON.stringify(request.session ?? null))
      if (error) response.statusCode = 500
      else if (query.has('maxAge')) request.session.cookie.maxAge = Number(query.get('maxAge'))
      if (!error && query.has('set')) Object.assign(request.session, JSON.parse(query.get('set')))
      if (!error && query.has('destroy')) return request.session.destroy(answer)
      answer()
    })
  }).listen(0, '127.0.0.1', function () { console.log(this.address().port) })

  // Whoever started it has ended, however that came.
  process.stdin.on('end', () => process.exit()).resume()
}
