// A site of express-session with one store, for the tests that stand beside it.
// GET /?set={...} puts keys into the session, GET / shows it, GET /?maxAge=ms gives it a life, GET /?destroy= ends it.
// The header x-id names the id of a session that begins. `words` adds to these: a function for each, which has the
// session; what it returns, if anything, is the answer.
const http = require('node:http')
const session = require('express-session')
const { randomBytes } = require('node:crypto')

exports.session = session

exports.serve = (store, { cookie, words = {} } = {}) => {
  const middleware = session({
    secret: 'a secret that is long enough for tests!', resave: false, saveUninitialized: false, cookie, store,
    genid: request => decodeURIComponent(request.headers['x-id'] ?? randomBytes(24).toString('base64url'))
  })
  http.createServer((request, response) => {
    const query = new URL(request.url, 'http://localhost').searchParams
    const answer = (error, found = request.session ?? null) => {
      if (error) response.statusCode = 500
      response.end(error ? String(error) : JSON.stringify(found))
    }
    middleware(request, response, async error => {
      if (error) return answer(error)
      if (query.has('maxAge')) request.session.cookie.maxAge = Number(query.get('maxAge'))
      if (query.has('set')) Object.assign(request.session, JSON.parse(query.get('set')))
      if (query.has('destroy')) return request.session.destroy(answer)
      const word = Object.keys(words).find(word => query.has(word))
      answer(null, word && await words[word](request.session, request))
    })
  }).listen(0, '127.0.0.1', function () { console.log(this.address().port) })

  // Whoever started it has ended, however that came.
  process.stdin.on('end', () => process.exit()).resume()
}
