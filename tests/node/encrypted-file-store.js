// session-file-store with its option secret: node encrypted-file-store.js <folder> <secret>
const { serve, session } = require('./site.js')
const FileStore = require('session-file-store')(session)

const [path, secret] = process.argv.slice(2)
serve(new FileStore({ path, secret, retries: 0, reapInterval: -1, logFn: () => {} }))
