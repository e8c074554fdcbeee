// A site of express-session and connect-dynamodb: node dynamodb-store.js <endpoint> <table>
// GET /?set={...} puts keys into the session, GET / shows it, GET /?maxAge=ms gives it a life, GET /?destroy= ends it.
const http = require('http')
const session = require('express-session')
const { DynamoDBClient } = require('@aws-sdk/client-dynamodb')
const DynamoDBStore = require('connect-dynamodb')(session)

const [endpoint, table] = process.argv.slice(2)
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials })
const middleware = session({
  secret: 'a secret that is long enough for tests!',
  resave: false,
  saveUninitialized: false,
  store: new DynamoDBStore({ client, table })
})

http.createServer((request, response) => {
  const query = new URL(request.url, 'http://localhost').searchParams
  request.originalUrl = request.url
  middleware(request, response, error => {
    const answer = () => response.end(error ? String(error) : JSON.stringify(request.session ?? null))
    if (error) response.statusCode = 500
    if (query.has('maxAge')) request.session.cookie.maxAge = Number(query.get('maxAge'))
    if (query.has('set')) Object.assign(request.session, JSON.parse(query.get('set')))
    if (query.has('destroy')) return request.session.destroy(answer)
    answer()
  })
}).listen(0, '127.0.0.1', function () { console.log(this.address().port) })

// Whoever started it has ended, however that came.
process.stdin.on('end', () => process.exit()).resume()
