// Runs scenarios (scenarios.py) against the real express-session, over real HTTP. One line of JSON in: a list of
// scenarios; one line out: the list of what came of them. Time stands still, and moves when a scenario says so.
'use strict'

process.env.NO_DEPRECATION = 'express-session'

let now = 0
const RealDate = Date
globalThis.Date = class Date extends RealDate {
  constructor (...given) {
    if (given.length) super(...given)
    else super(now)
  }

  static now () { return now }
}

const http = require('node:http')
const path = require('node:path')
const readline = require('node:readline')
const load = require('node:module').createRequire(path.join(__dirname, '..', 'node', 'package.json'))
const session = load('express-session')

// What a handler can do with its session. scenarios.py puts these words together; driver.py has the same ones.
const VERBS = {
  look: req => req.session.n,
  set: req => { req.session.n = (req.session.n || 0) + 1 },
  'set same': req => { if ('n' in req.session) req.session.n = Number(req.session.n) },
  nest: req => { (req.session.cart ||= { items: [] }).items.push(3) },
  revert: req => {
    const before = JSON.stringify(req.session.n)
    req.session.n = 'something else'
    if (before === undefined) delete req.session.n
    else req.session.n = JSON.parse(before)
  },
  delete: req => { delete req.session.n },
  'delete all': req => { for (const key of Object.keys(req.session)) if (key !== 'cookie') delete req.session[key] },
  save: req => called(req.session, 'save'),
  reload: req => called(req.session, 'reload'),
  regenerate: async req => {
    const session = req.session || req.left
    await called(session, 'regenerate')
  },
  destroy: req => {
    req.left = req.session
    return called(req.session, 'destroy')
  },
  touch: req => { req.session.touch() },
  null: req => { req.session = null },
  remove: req => { delete req.session },
  'max age': req => { req.session.cookie.maxAge = 7_200_000 },
  'no max age': req => { req.session.cookie.maxAge = null },
  expires: req => { req.session.cookie.expires = new Date(now + 7_200_000) },
  strict: req => { req.session.cookie.sameSite = 'strict' },
  script: req => { req.session.cookie.httpOnly = false },
  'path /app': req => { req.session.cookie.path = '/app' },
  // What another request does meanwhile. It is not this request's, so it is not among its calls.
  'other writes': (req, res, store) => {
    const kept = JSON.parse(store.sessions[req.sessionID])
    store.sessions[req.sessionID] = JSON.stringify({ ...kept, other: 1 })
  },
  'other destroys': (req, res, store) => { delete store.sessions[req.sessionID] },
  head: (req, res) => { res.write('the head leaves with this') },
  view: (req, res, store, saw) => { saw.push(view(req.session)) },
  // What stops express-session.
  'put an object': req => { req.session = {} },
  'put a cycle': req => { req.session.cycle = req.session },
  'put what JSON cannot hold': req => { req.session.n = 1n },
  'put no cookie': req => { req.session.cookie = null },
  'reload and wait for nothing': req => { req.session.reload() }
}

function called (session, verb) {
  return new Promise((resolve, reject) => session[verb](error => error ? reject(error) : resolve()))
}

function view (session) {
  if (session == null) return null
  const { cookie, ...data } = JSON.parse(JSON.stringify(session))
  return {
    id: session.id,
    data,
    cookie: {
      maxAge: session.cookie.maxAge ?? null,
      originalMaxAge: session.cookie.originalMaxAge ?? null,
      expires: cookie.expires ?? null,
      path: cookie.path,
      domain: cookie.domain ?? null,
      httpOnly: Boolean(cookie.httpOnly),
      secure: Boolean(cookie.secure),
      sameSite: cookie.sameSite ?? null,
      partitioned: Boolean(cookie.partitioned),
      priority: cookie.priority ?? null
    }
  }
}

class Recorder extends session.MemoryStore {
  calls = []
  written = {}
}

for (const verb of ['get', 'set', 'touch', 'destroy']) {
  Recorder.prototype[verb] = function (sid, ...rest) {
    this.calls.push([verb, sid])
    if (verb === 'set' || verb === 'touch') this.written[sid] = now
    return session.MemoryStore.prototype[verb].call(this, sid, ...rest)
  }
}

function records (store) {
  const live = {}
  for (const [sid, text] of Object.entries(store.sessions)) {
    const data = JSON.parse(text)
    const life = data.cookie.expires ? new Date(data.cookie.expires) - now : null
    if (life === null || life > 0) live[sid] = { data, life, idle: now - store.written[sid] }
  }
  return live
}

// The browser: what it was given, by name, domain and path; longer paths first (RFC 6265bis 5.8.3).
class Jar {
  constructor (cookies) {
    this.cookies = new Map()
    for (const cookie of cookies) this.put({ secure: false, ends: Infinity, ...cookie })
  }

  put (cookie) { this.cookies.set(`${cookie.name};${cookie.domain};${cookie.path}`, cookie) }

  take (line) {
    const [pair, ...attributes] = line.split('; ')
    const at = pair.indexOf('=')
    const cookie = { name: pair.slice(0, at), value: pair.slice(at + 1), domain: '', path: '/', secure: false, ends: Infinity }
    for (const attribute of attributes) {
      const [name, value] = attribute.split('=')
      if (name === 'Expires') cookie.ends = RealDate.parse(value)
      if (name === 'Domain') cookie.domain = value
      if (name === 'Path') cookie.path = value
      if (name === 'Secure') cookie.secure = true
    }
    this.put(cookie)
  }

  header (secure) {
    return [...this.cookies.values()]
      .filter(cookie => (secure || !cookie.secure) && cookie.ends > now)
      .sort((one, other) => other.path.length - one.path.length)
      .map(cookie => `${cookie.name}=${cookie.value}`).join('; ')
  }
}

let answer
const server = http.createServer((req, res) => answer(req, res))
server.keepAliveTimeout = 0
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
let crashed = () => {}
process.on('uncaughtException', error => crashed(error))

function fetch (url, headers, patience) {
  return new Promise(resolve => {
    const { port } = server.address()
    const request = http.request({ port, path: url, agent, headers: { host: 'example.com', ...headers } }, response => {
      response.on('end', () => { clearTimeout(timer); resolve(response) })
      response.on('error', () => {})
      response.resume()
    })
    const stop = (end) => { clearTimeout(timer); request.destroy(); resolve({ end }) }
    const timer = setTimeout(() => stop('hang'), patience)
    crashed = () => stop('crash')
    request.on('error', () => {})
    request.end()
  })
}

function options (scenario, store) {
  const cookie = { ...scenario.cookie }
  if (cookie.expires) cookie.expires = new Date(cookie.expires)
  let made = 0
  const given = {
    secret: scenario.secret,
    store,
    genid: () => `id-${++made}`.padEnd(32, '_'),
    ...scenario.options
  }
  if (scenario.cookie) given.cookie = scenario.cookie_function ? () => cookie : cookie
  return given
}

// The record that express-session itself makes of `data` with these options; made once for all who ask alike.
const prepared = new Map()

async function prepare (scenario) {
  const key = JSON.stringify([now, scenario.options, scenario.cookie, scenario.cookie_function, scenario.headers, scenario.data])
  if (!prepared.has(key)) {
    const store = new Recorder()
    const middleware = session(options(scenario, store))
    answer = (req, res) => middleware(req, res, () => {
      Object.assign(req.session, scenario.data)
      res.end()
    })
    await fetch('/app/page', scenario.headers, 5000)
    prepared.set(key, Object.values(store.sessions)[0])
  }
  return prepared.get(key)
}

async function run (scenario) {
  const store = new Recorder()
  let record = null
  if (scenario.sids.length) {
    now = scenario.now - scenario.age
    record = await prepare(scenario)
    for (const sid of scenario.sids) {
      store.sessions[sid] = record
      store.written[sid] = now
    }
  }
  const middleware = session(options(scenario, store))
  const jar = new Jar(scenario.jar)
  const steps = []
  for (const [position, verbs] of scenario.steps.entries()) {
    now = scenario.now + 10_000 * position
    store.calls = []
    const saw = []
    answer = (req, res) => middleware(req, res, async error => {
      if (error) return res.headersSent ? saw.push(String(error)) : res.writeHead(500).end()
      if (verbs.length && req.session === undefined) saw.push('no session')
      else for (const verb of verbs) {
        try {
          await VERBS[verb](req, res, store, saw)
        } catch (error) {
          saw.push(error.message === 'failed to load session' ? 'gone' : String(error))
        }
      }
      try {
        res.end('ok')
      } catch (error) {
        res.end(String(error)) // As the error handler of express does.
      }
    })
    const cookie = jar.header(scenario.secure)
    const response = await fetch(scenario.path, { ...scenario.headers, ...(cookie && { cookie }) }, scenario.patience)
    if (response.end) {
      steps.push({ end: response.end })
      break
    }
    const lines = response.headers['set-cookie'] || []
    lines.forEach(line => jar.take(line))
    steps.push({
      status: response.statusCode,
      cookies: lines,
      caches: [response.headers.vary ?? null, response.headers['cache-control'] ?? null],
      calls: store.calls,
      saw,
      records: records(store)
    })
  }
  return { record, steps }
}

server.listen(0, '127.0.0.1', async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const outcomes = []
    for (const scenario of JSON.parse(line)) outcomes.push(await run(scenario))
    process.stdout.write(JSON.stringify(outcomes) + '\n')
  }
  agent.destroy()
  server.close()
})
