// node gateway.js <url of Redis> <port of a Python site> <options of express-session as JSON>
// A site of express-session in front: what begins with /py/ it hands on, with its session's middleware before it.
const http = require('node:http')
const session = require('express-session')
const { RedisStore } = require('connect-redis')
const { createClient } = require('redis')

const [url, port, options] = process.argv.slice(2)
const client = createClient({ url })
const run = async () => {
  await client.connect()
  const middleware = session({
    secret: 'a secret that is long enough for tests!', resave: false, saveUninitialized: false,
    cookie: { maxAge: 3600000 }, store: new RedisStore({ client }), ...JSON.parse(options)
  })
  http.createServer((request, response) => middleware(request, response, () => {
    if (!request.url.startsWith('/py/')) {
      Object.assign(request.session, JSON.parse(new URL(request.url, 'http://x').searchParams.get('set') ?? '{}'))
      return response.end(JSON.stringify(request.session))
    }
    const headers = { cookie: request.headers.cookie ?? '', host: 'localhost' }
    http.get({ host: '127.0.0.1', port, path: request.url.slice(3), headers }, answer => {
      if (answer.headers['set-cookie']) response.setHeader('set-cookie', answer.headers['set-cookie'])
      answer.pipe(response)
    })
  })).listen(0, '127.0.0.1', function () { console.log(this.address().port) })
}
run()
process.stdin.on('end', () => process.exit()).resume()
