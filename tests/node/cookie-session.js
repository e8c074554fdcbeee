// A site with the real cookie-session: it changes its session as the query says, and answers what it had found.
const http = require('node:http')
const cookieSession = require('cookie-session')

const options = JSON.parse(process.argv[2])
const middleware = cookieSession(options)

const server = http.createServer((request, response) => {
  middleware(request, response, (error) => {
    if (error) throw error
    const found = { ...request.session }
    const change = new URL(request.url, 'http://localhost').searchParams.get('change')
    if (change === 'null') request.session = null
    else if (change) Object.assign(request.session, JSON.parse(change))
    response.end(JSON.stringify({ found, isNew: Boolean(request.session && request.session.isNew) }))
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume().on('end', () => process.exit())
