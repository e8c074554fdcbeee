// node passport-site.js <url of Redis>
// The site of redis-store.js with passport. GET /?login= logs a user in; there are four ways to log out, as applications do:
// /?destroy=, /?logout=, /?keep= (keepSessionInfo), /?delete= (which is what passport did before 0.6).
const passport = require('passport')
const { serve } = require('./site.js')
const { RedisStore } = require('connect-redis')
const { createClient } = require('redis')

passport.serializeUser((user, done) => done(null, user.id))
passport.deserializeUser((id, done) => done(null, { id }))
const [initialize, restore] = [passport.initialize(), passport.session()]
const logged = (request, work) => new Promise((resolve, reject) => {
  const done = error => error ? reject(error) : resolve(request.session)
  initialize(request, {}, () => restore(request, {}, () => work(done)))
})
const words = {
  login: (session, request) => logged(request, done => request.login({ id: 7 }, { keepSessionInfo: true }, done)),
  logout: (session, request) => logged(request, done => request.logout({}, done)),
  keep: (session, request) => logged(request, done => request.logout({ keepSessionInfo: true }, done)),
  delete: session => { delete session.passport; },
  both: session => { delete session.passport; delete session.sessile }
}
const client = createClient({ url: process.argv[2] })
client.connect().then(() => serve(new RedisStore({ client }), { cookie: { maxAge: 3600000 }, words }))
