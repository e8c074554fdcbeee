// node file-store.js <folder> <ttl in seconds>
const { serve, session } = require('./site.js')
const FileStore = require('session-file-store')(session)

const [folder, ttl] = process.argv.slice(2)
serve(new FileStore({ path: folder, ttl: Number(ttl), retries: 0, reapInterval: -1, logFn: () => {} }))
