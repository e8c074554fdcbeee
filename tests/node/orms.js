// Stores of express-session that stand on an ORM, in SQLite, PostgreSQL or MySQL. Each function takes the dialect and a
// file or URL, and returns the store once its table is there.
const { session } = require('./site.js')

exports['connect-session-sequelize'] = async (dialect, place) => {
  const { Sequelize } = require('sequelize')
  const db = dialect === 'sqlite'
    ? new Sequelize({ dialect, storage: place, logging: false })
    : new Sequelize(place, { dialect: dialect === 'postgresql' ? 'postgres' : 'mysql', logging: false })
  const store = new (require('connect-session-sequelize')(session.Store))({ db, checkExpirationInterval: 0 })
  await store.sync()
  return store
}

exports['connect-typeorm'] = async (dialect, place) => {
  const { DataSource, EntitySchema } = require('typeorm')
  const { TypeormStore } = require('connect-typeorm')
  const entity = new EntitySchema({
    name: 'Session',
    tableName: 'session',
    columns: {
      expiredAt: { type: 'bigint' },
      id: { primary: true, type: 'varchar', length: 255 },
      json: { type: 'text' },
      destroyedAt: { type: dialect === 'postgresql' ? 'timestamp' : 'datetime', deleteDate: true, nullable: true }
    },
    indices: [{ columns: ['expiredAt'] }]
  })
  const where = dialect === 'sqlite'
    ? { type: 'better-sqlite3', database: place }
    : { type: dialect === 'postgresql' ? 'postgres' : 'mysql', url: place }
  const source = await new DataSource({ ...where, entities: [entity] }).initialize()
  const runner = source.createQueryRunner()
  if (!await runner.hasTable('session')) await source.synchronize()
  await runner.release()
  const repository = source.getRepository(entity)
  const store = new TypeormStore({ cleanupLimit: 2, limitSubquery: dialect !== 'mysql' }).connect(repository)
  // It answers before the database has, and a test that looks at once would still find the session; or a touch that is
  // late would bring back what the test has ended. Where the cookie has an end, touch() answers twice: at once, and then.
  const { destroy, touch } = store
  store.touch = (id, data, done) => {
    let early = Boolean(data.cookie.expires)
    touch(id, data, error => {
      if (!early) done(error)
      early = false
    })
  }
  store.destroy = (id, done) => destroy(id, async error => {
    while (await repository.findOneBy({ id })) await new Promise(resolve => setTimeout(resolve, 5))
    done(error)
  })
  return store
}

// The store is the real one. Prisma's client is made from a schema by a program that is downloaded when it runs; this one
// has the four methods that the store calls, and writes the rows that Prisma's adapters write.
exports['prisma-session-store'] = async (dialect, place) => {
  const { PrismaSessionStore } = require('@quixo3/prisma-session-store')
  const knex = require('knex')({
    client: { sqlite: 'better-sqlite3', postgresql: 'pg', mysql: 'mysql2' }[dialect],
    connection: dialect === 'sqlite' ? { filename: place } : dialect === 'mysql' ? { uri: place, timezone: 'Z' } : place,
    useNullAsDefault: true
  })
  const text = dialect === 'mysql' ? 'varchar(191)' : 'text'
  const moment = { sqlite: 'DATETIME', postgresql: 'timestamp(3)', mysql: 'datetime(3)' }[dialect]
  if (!await knex.schema.hasTable('Session')) {
    await knex.schema.createTable('Session', table => {
      table.specificType('id', `${text} NOT NULL PRIMARY KEY`)
      table.specificType('sid', `${text} NOT NULL`)
      table.specificType('data', `${dialect === 'mysql' ? 'mediumtext' : 'text'} NOT NULL`)
      table.specificType('expiresAt', `${moment} NOT NULL`)
      table.unique(['sid'], { indexName: 'Session_sid_key' })
    })
  }
  const written = row => row.expiresAt instanceof Date
    ? { ...row, expiresAt: row.expiresAt.toISOString().replace('Z', dialect === 'sqlite' ? '+00:00' : '').replace('T', dialect === 'sqlite' ? 'T' : ' ') }
    : row
  const asked = dialect === 'postgresql'
    ? ['id', 'sid', 'data', knex.raw(`"expiresAt" AT TIME ZONE 'UTC' AS "expiresAt"`)]
    : ['id', 'sid', 'data', 'expiresAt']
  const read = row => row && { ...row, expiresAt: new Date(row.expiresAt) }
  const table = () => knex('Session')
  const findUnique = async ({ where }) => read(await table().where(where).first(asked)) ?? null
  return new PrismaSessionStore({
    $connect: async () => {},
    session: {
      findUnique,
      findMany: async () => (await table().select(asked)).map(read),
      create: async ({ data }) => table().insert(written(data)),
      update: async ({ where, data }) => table().where(where).update(written(data)),
      delete: async ({ where }) => table().where(where).delete(),
      deleteMany: async ({ where } = {}) => table().where(where ?? {}).delete()
    }
  }, { checkPeriod: undefined, logger: false, dbRecordIdIsSessionId: true })
}
