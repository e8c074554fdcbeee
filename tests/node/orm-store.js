// node orm-store.js <package> <sqlite|postgresql|mysql> <file or URL>
const { serve } = require('./site.js')
const [name, dialect, place] = process.argv.slice(2)
require('./orms.js')[name](dialect, place).then(store => serve(store))
