// Reads Cookie headers as cookie-parser does. One line of JSON in: [headers, secrets]; one line out: what it makes of
// each: {cookies, signedCookies}.
'use strict'

const path = require('node:path')
const readline = require('node:readline')
const load = require('node:module').createRequire(path.join(__dirname, '..', 'node', 'package.json'))
const cookieParser = load('cookie-parser')

readline.createInterface({ input: process.stdin }).on('line', line => {
  const [headers, secrets] = JSON.parse(line)
  const parse = cookieParser(secrets)
  // JSON has no infinity, and 1e999 is one on both sides.
  const infinite = (key, value) => value === Infinity ? 'infinity' : value
  console.log(JSON.stringify(headers.map(cookie => {
    const req = { headers: { cookie } }
    parse(req, {}, () => {})
    return { cookies: req.cookies, signedCookies: req.signedCookies }
  }), infinite))
})
