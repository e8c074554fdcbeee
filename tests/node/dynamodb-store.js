// node dynamodb-store.js <endpoint> <table>
const { serve, session } = require('./site.js')
const { DynamoDBClient } = require('@aws-sdk/client-dynamodb')
const DynamoDBStore = require('connect-dynamodb')(session)

const [endpoint, table] = process.argv.slice(2)
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
serve(new DynamoDBStore({ client: new DynamoDBClient({ endpoint, region: 'us-east-1', credentials }), table }))
