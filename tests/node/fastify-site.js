// node fastify-site.js <url of Redis> <options of @fastify/session as JSON>
// GET /?set={...} puts keys into the session, GET / shows it, GET /?destroy= ends it, as in site.js.
const fastify = require('fastify')()
const { RedisStore } = require('connect-redis')
const { createClient } = require('redis')

const [url, options] = process.argv.slice(2)
const run = async () => {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  await fastify.register(require('@fastify/cookie'))
  await fastify.register(require('@fastify/session'), {
    secret: 'a secret that is long enough for tests!', cookieName: 'connect.sid', saveUninitialized: false, rolling: false,
    store: new RedisStore({ client }), ...JSON.parse(options)
  })
  fastify.get('/', async request => {
    const { set, destroy } = request.query
    if (set) for (const [key, value] of Object.entries(JSON.parse(set))) request.session.set(key, value)
    if (destroy !== undefined) {
      await request.session.destroy()
      return {}
    }
    return request.session
  })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  console.log(fastify.server.address().port)
}
run()
process.stdin.on('end', () => process.exit()).resume()
