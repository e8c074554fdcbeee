// node koa-site.js <url of Redis> <options of koa-session as JSON>
// A site of koa-session with koa-redis. GET /?set={...} puts keys into the session, GET / shows it, GET /?destroy= ends it.
const Koa = require('koa')
const [url, options] = process.argv.slice(2)
const store = require('koa-redis')({ url })
const app = new Koa()
app.keys = ['a secret that is long enough for tests!']
app.use(require('koa-session').default({ key: 'koa.sess', ...JSON.parse(options), store }, app))
app.use(context => {
  const { set, destroy } = context.query
  if (destroy !== undefined) {
    context.session = null
    context.body = {}
    return
  }
  if (set) Object.assign(context.session, JSON.parse(set))
  context.body = context.session.toJSON()
})
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.on('end', () => process.exit()).resume()
