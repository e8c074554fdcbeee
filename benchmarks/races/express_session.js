// express-session, with the store given: "memory" or "redis"; and "resave" if its default is wanted.
//
// As in its README: `regenerate` and `save` at the login, `destroy` at the logout; `resave: false`, which it advises
// ("typically, you'll want false") and connect-redis requires. Its default is true, and deprecated.
'use strict'

const net = require('node:net')
const path = require('node:path')
const load = require('node:module').createRequire(path.join(__dirname, '..', '..', 'tests', 'node', 'package.json'))
const express = load('express')
const session = load('express-session')

// Where a slow request waits until the benchmark lets it go (gate.py).
const wait = () => new Promise(resolve => {
  net.connect(process.env.GATE, '127.0.0.1').resume().on('close', resolve)
})

async function storeOf (name) {
  if (name === 'memory') return new session.MemoryStore()
  const { RedisStore } = load('connect-redis')
  const client = load('redis').createClient({ socket: { path: process.env.REDIS } })
  await client.connect()
  return new RedisStore({ client })
}

async function main () {
  const app = express()
  app.use(session({
    secret: 'a secret that is long enough for tests!',
    store: await storeOf(process.argv[2]),
    resave: process.argv.includes('resave'),
    saveUninitialized: false
  }))

  app.post('/login', (req, res, next) => {
    req.session.regenerate(error => {
      if (error) return next(error)
      req.session.user = 'zoe'
      req.session.save(error => error ? next(error) : res.send(''))
    })
  })

  app.post('/logout', (req, res, next) => {
    req.session.destroy(error => error ? next(error) : res.send(''))
  })

  app.get('/me', (req, res) => {
    const { cookie, ...data } = req.session
    res.json({ user: null, ...data })
  })

  app.post('/write', (req, res) => {
    req.session.b = 1
    res.send('')
  })

  app.get('/slow-read', async (req, res) => {
    const user = req.session.user
    await wait()
    res.send(String(user))
  })

  app.post('/slow-write', async (req, res) => {
    const user = req.session.user
    await wait()
    req.session.a = 1
    res.send(String(user))
  })

  const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port))
}

main()
