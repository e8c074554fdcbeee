// node cookie-forms.js <package> <its options as JSON>
// A site with one of the packages that keep a whole session in a cookie: it changes its session as the query says, and
// answers what it had found. `change=null` ends the session.
const http = require('node:http')

const [name, json] = process.argv.slice(2)
const options = JSON.parse(json)
const change = url => JSON.parse(new URL(url, 'http://localhost').searchParams.get('change') || '{}')
const started = server => console.log(server.address().port)

const sites = {
  'iron-session': () => {
    const { getIronSession } = require('iron-session')
    const server = http.createServer(async (request, response) => {
      const session = await getIronSession(request, response, options)
      const found = { ...session }
      const changed = change(request.url)
      if (changed === null) session.destroy()
      else if (Object.keys(changed).length) {
        Object.assign(session, changed)
        await session.save()
      }
      response.end(JSON.stringify({ found }))
    }).listen(0, '127.0.0.1', () => started(server))
  },
  h3: () => {
    const { createApp, eventHandler, toNodeListener, useSession } = require('h3')
    const app = createApp().use(eventHandler(async event => {
      const session = await useSession(event, options)
      const found = { ...session.data }
      const changed = change(event.node.req.url)
      if (changed === null) await session.clear()
      else if (Object.keys(changed).length) await session.update(changed)
      return { found, id: session.id }
    }))
    const server = http.createServer(toNodeListener(app)).listen(0, '127.0.0.1', () => started(server))
  },
  'koa-session': () => {
    const Koa = require('koa')
    const app = new Koa()
    app.keys = options.keys
    delete options.keys
    app.use(require('koa-session').default(options, app))
    app.use(context => {
      const found = context.session.toJSON()
      const changed = change(context.url)
      if (context.query.maxAge) context.session.maxAge = JSON.parse(context.query.maxAge)
      if (changed === null) context.session = null
      else Object.assign(context.session, changed)
      context.body = { found }
    })
    const server = app.listen(0, '127.0.0.1', () => started(server))
  },
  'secure-session': async () => {
    const site = require('fastify')()
    for (const key of ['key', 'salt']) if (Array.isArray(options[key])) options[key] = options[key].map(each => Buffer.from(each, 'base64'))
    await site.register(require('@fastify/secure-session'), options)
    site.get('/', async request => {
      const found = request.session.data()
      const changed = change(request.url)
      if (changed === null) request.session.delete()
      else for (const [key, value] of Object.entries(changed)) request.session.set(key, value)
      return { found }
    })
    await site.listen({ port: 0, host: '127.0.0.1' })
    started(site.server)
  },
  'client-sessions': () => {
    const middleware = require('client-sessions')(options)
    const server = http.createServer((request, response) => middleware(request, response, () => {
      const session = request[options.cookieName]
      const found = { ...session }
      const changed = change(request.url)
      if (changed === null) session.reset()
      else Object.assign(session, changed)
      response.end(JSON.stringify({ found }))
    })).listen(0, '127.0.0.1', () => started(server))
  }
}
sites[name]()
process.stdin.resume().on('end', () => process.exit())
