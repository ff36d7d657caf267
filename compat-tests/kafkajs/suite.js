'use strict'
// kafkajs: produces with every codec and administers. Its consumer needs a consumer group, so what it wrote is read with kcat.

const { execFileSync } = require('node:child_process')
const { randomBytes } = require('node:crypto')
const { isDeepStrictEqual, inspect } = require('node:util')
const {
  AclOperationTypes, AclPermissionTypes, AclResourceTypes, CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel,
  ResourcePatternTypes,
} = require('kafkajs')
const SnappyCodec = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
const { ZstdCodec } = require('zstd-codec')

const BOOTSTRAP = process.env.BOOTSTRAP
const RUN = `kafkajs-${Math.floor(Date.now() / 1000)}-${process.pid}`
const CODECS = {
  none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD,
}
const kafka = new Kafka({
  clientId: 'compat', brokers: [BOOTSTRAP], logLevel: process.env.KAFKAJS_LOG ? logLevel.DEBUG : logLevel.NOTHING,
  retry: { retries: 8, initialRetryTime: 100 },
})
const admin = kafka.admin()
const impatient = kafka.admin({ retry: { retries: 1 } })
const tests = []

const test = (name, body) => tests.push([name, body])
const topic = name => `${RUN}-${name}`

async function main() {
  CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async encoder => lz4.compressFrame(encoder.buffer),
    decompress: async buffer => lz4.decompressFrame(buffer),
  })
  const zstd = await new Promise(resolve => ZstdCodec.run(loaded => resolve(new loaded.Simple())))
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async encoder => Buffer.from(zstd.compress(encoder.buffer, 3)),
    decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
  })
  await admin.connect()
  await impatient.connect()
  const wanted = process.argv.slice(2)
  for (const [name, body] of tests) {
    if (wanted.length && !wanted.includes(name)) continue
    let timer
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('more than 60 s')), 60_000) })
    try {
      await Promise.race([body(), late])
      console.log(`ok ${name}`)
    } catch (error) {
      const line = /suite\.js:(\d+):/.exec(String(error.stack).split('\n').slice(1).join(' ')) || ['', '?']
      console.log(`not ok ${name}: line ${line[1]}: ${String(error).replaceAll('\n', ' ')}`)
    }
    clearTimeout(timer)
  }
  await admin.disconnect()
  await impatient.disconnect()
  console.log('end')
  process.exit(0)
}

// --- produce

function rows(count) {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, n) => n))
  return Array.from({ length: count }, (_, n) => ({
    key: [Buffer.from(`ключ-${n}-鍵-🔑`), randomBytes(1 + (n % 30)), null, everyByte][n % 4],
    value: [randomBytes(1 + (n % 300)), Buffer.alloc(0), Buffer.from(`строка repeats and repeats ${n}`)][n % 3],
    partition: 0,
  }))
}

async function produce(name, messages, { codec = 'none', acks = -1, ...options } = {}) {
  const producer = kafka.producer(options)
  await producer.connect()
  try {
    return await producer.send({ topic: name, messages, acks, compression: CODECS[codec] })
  } finally {
    await producer.disconnect()
  }
}

/** Every record of partition 0, read with kcat: key, value, headers, timestamp. */
function read(name, offset = 'beginning', isolation = 'read_committed') {
  const out = execFileSync(
    'kcat', ['-b', BOOTSTRAP, '-C', '-q', '-e', '-t', name, '-p', '0', '-o', String(offset), '-X', `isolation.level=${isolation}`, '-f', '%K %S %T %k%s|%h\n'],
    { maxBuffer: 1 << 28, timeout: 30_000 },
  )
  const records = []
  for (let at = 0; at < out.length;) {
    const head = /^(-?\d+) (-?\d+) (-?\d+) /.exec(out.toString('latin1', at, at + 60))
    at += head[0].length
    const take = size => {
      if (size < 0) return null
      at += size
      return out.subarray(at - size, at)
    }
    const key = take(Number(head[1]))
    const value = take(Number(head[2]))
    const end = out.indexOf('\n', at)
    records.push({ key, value, headers: out.toString('utf8', at + 1, end), timestamp: Number(head[3]) })
    at = end + 1
  }
  return records
}

const contents = records => records.map(({ key, value }) => ({ key: key && Buffer.from(key), value: value && Buffer.from(value) }))

async function create(name, numPartitions = 1, configs = {}) {
  await admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic: name, numPartitions, replicationFactor: 1, configEntries: Object.entries(configs).map(([key, value]) => ({ name: key, value })) }],
  })
  return name
}

for (const codec of Object.keys(CODECS)) {
  test(`codec-${codec}`, async () => {
    const name = await create(topic(`codec-${codec}`))
    const sent = rows(1000)
    await produce(name, sent, { codec })
    equal(contents(read(name)), contents(sent), 'records')
  })
  test(`large-records-${codec}`, async () => {
    const name = await create(topic(`large-${codec}`))
    const sent = [
      { key: Buffer.from('random'), value: randomBytes(1_000_000) },
      { key: Buffer.from('text'), value: Buffer.from('0123456789abcdef'.repeat(62_500)) },
    ].map(message => ({ ...message, partition: 0 }))
    for (const message of sent) await produce(name, [message], { codec })
    equal(contents(read(name)), contents(sent), 'records')
  })
}

test('transactions', async () => {
  const name = await create(topic('transactions'))
  const group = `${name}-group`
  const sent = rows(30)
  const producer = () => kafka.producer({ transactionalId: name, maxInFlightRequests: 1, idempotent: true })
  const [first, second] = [producer(), producer()]
  try {
    await first.connect()
    for (const [n, want] of [[0, '7'], [1, '7'], [2, '27']]) {
      const transaction = await first.transaction()
      await transaction.send({ topic: name, messages: sent.slice(10 * n, 10 * n + 10) })
      await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic: name, partitions: [{ partition: 0, offset: String(10 * n + 7) }] }] })
      await (n === 1 ? transaction.abort() : transaction.commit())
      await eventually("the group's offset", async () => {
        const [{ partitions }] = await admin.fetchOffsets({ groupId: group, topics: [name] })
        return partitions[0].offset === want
      })
    }
    equal(contents(read(name, 'beginning', 'read_uncommitted')), contents(sent), 'uncommitted records')
    equal(contents(read(name)), contents([...sent.slice(0, 10), ...sent.slice(20)]), 'committed records')
    const open = await first.transaction()
    await open.send({ topic: name, messages: sent.slice(0, 1) })
    await second.connect()
    await (await second.transaction()).abort()
    let fenced = false
    await open.commit().catch(() => { fenced = true })
    equal(fenced, true, 'the first producer is fenced')
  } finally {
    await first.disconnect()
    await second.disconnect()
  }
})

for (const [label, acks] of [['0', 0], ['1', 1], ['all', -1]]) {
  test(`acks-${label}`, async () => {
    const name = await create(topic(`acks-${label}`))
    const sent = rows(300)
    await produce(name, sent, { acks })
    await eventually('300 records', async () => (await offsets(name))[0].high === '300')
    equal(contents(read(name)), contents(sent), 'records')
  })
}

test('idempotent', async () => {
  const name = await create(topic('idempotent'))
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const sent = rows(200)
  for (let n = 0; n < 200; n += 20) await producer.send({ topic: name, messages: sent.slice(n, n + 20) })
  await producer.disconnect()
  equal(contents(read(name)), contents(sent), 'records')
})

test('headers', async () => {
  const name = await create(topic('headers'))
  await produce(name, [{ value: 'v', partition: 0, headers: { a: ['1', '2'], empty: '', 'ключ-鍵': 'значение' } }, { value: 'none', partition: 0 }])
  equal(read(name).map(record => record.headers), ['a=1,a=2,empty=,ключ-鍵=значение', ''], 'headers')
})

test('tombstones', async () => {
  const name = await create(topic('tombstones'), 1, { 'cleanup.policy': 'compact' })
  await produce(name, [{ key: 'a', value: '1', partition: 0 }, { key: 'a', value: null, partition: 0 }])
  equal(contents(read(name)), [{ key: Buffer.from('a'), value: Buffer.from('1') }, { key: Buffer.from('a'), value: null }], 'records')
})

test('refused-records', async () => {
  const compacted = await create(topic('compacted'), 1, { 'cleanup.policy': 'compact' })
  await refused('INVALID_RECORD', () => produce(compacted, [{ value: 'v', partition: 0 }], { retry: { retries: 0 } }))
  const small = await create(topic('small'), 1, { 'max.message.bytes': '1000' })
  await refused('MESSAGE_TOO_LARGE', () => produce(small, [{ value: randomBytes(2000), partition: 0 }], { retry: { retries: 0 } }))
})

test('topic-is-created-by-the-first-record', async () => {
  const name = topic('auto')
  await produce(name, [{ value: 'v', partition: 0 }], { allowAutoTopicCreation: true })
  equal(contents(read(name)), [{ key: null, value: Buffer.from('v') }], 'records')
})

test('unknown-topic-without-auto-creation', async () => {
  await refused('UNKNOWN_TOPIC_OR_PARTITION', () => produce(topic('missing'), [{ value: 'v' }], { allowAutoTopicCreation: false, retry: { retries: 1 } }))
})

test('timestamps', async () => {
  const now = Date.now()
  const kept = await create(topic('create-time'))
  await produce(kept, [{ value: 'v', partition: 0, timestamp: String(now - 5000) }])
  equal(read(kept)[0].timestamp, now - 5000, 'timestamp')
  const stamped = await create(topic('append-time'), 1, { 'message.timestamp.type': 'LogAppendTime' })
  const [answer] = await produce(stamped, [{ value: 'v', partition: 0, timestamp: String(now - 3_600_000) }])
  equal(String(read(stamped)[0].timestamp), answer.logAppendTime, 'append time')
})

test('several-topics-in-one-request', async () => {
  const names = [await create(topic('batch-a'), 3), await create(topic('batch-b'))]
  const producer = kafka.producer()
  await producer.connect()
  const answers = await producer.sendBatch({
    topicMessages: [{ topic: names[0], messages: [0, 1, 2].map(partition => ({ value: `v${partition}`, partition })) }, { topic: names[1], messages: [{ value: 'x' }] }],
  })
  await producer.disconnect()
  equal(answers.map(a => [a.errorCode, a.baseOffset]), Array(4).fill([0, '0']), 'answers')
})

// --- administration

const offsets = async name => (await admin.fetchTopicOffsets(name)).sort((a, b) => a.partition - b.partition)

test('describe-cluster', async () => {
  const { brokers, controller, clusterId } = await admin.describeCluster()
  equal(brokers.map(b => `${b.host}:${b.port}`), [BOOTSTRAP], 'brokers')
  equal(controller, brokers[0].nodeId, 'controller')
  equal(clusterId.length, 22, 'length of the cluster id')
})

test('topics', async () => {
  const name = await create(topic('plain'), 3)
  equal((await admin.listTopics()).includes(name), true, 'listed')
  const { topics } = await admin.fetchTopicMetadata({ topics: [name] })
  equal(topics[0].partitions.map(p => p.partitionId).sort(), [0, 1, 2], 'partitions')
  equal(await admin.createTopics({ topics: [{ topic: name }] }), false, 'created again')
  await admin.deleteTopics({ topics: [name] })
  await eventually('gone', async () => !(await admin.listTopics()).includes(name))
  await refused('UNKNOWN_TOPIC_OR_PARTITION', () => impatient.deleteTopics({ topics: [topic('never')] }))
})

test('create-topic-refusals', async () => {
  const bad = entry => admin.createTopics({ waitForLeaders: false, topics: [{ topic: topic('bad'), numPartitions: 1, replicationFactor: 1, ...entry }] })
  await refused('INVALID_REPLICATION_FACTOR', () => bad({ replicationFactor: 3 }))
  await refused('INVALID_PARTITIONS', () => bad({ numPartitions: 0 }))
  await refused('INVALID_TOPIC_EXCEPTION', () => bad({ topic: 'bad name!' }))
  await refused('INVALID_CONFIG', () => bad({ configEntries: [{ name: 'no.such.key', value: '1' }] }))
  await refused('INVALID_CONFIG', () => bad({ configEntries: [{ name: 'retention.ms', value: 'soon' }] }))
  await admin.createTopics({ validateOnly: true, waitForLeaders: false, topics: [{ topic: topic('dry') }] })
  equal((await admin.listTopics()).filter(n => n === topic('bad') || n === topic('dry')), [], 'topics that must not exist')
})

test('add-partitions', async () => {
  const name = await create(topic('grow'))
  await admin.createPartitions({ topicPartitions: [{ topic: name, count: 4 }] })
  await eventually('four partitions', async () => (await admin.fetchTopicMetadata({ topics: [name] })).topics[0].partitions.length === 4)
  await produce(name, [{ value: 'v', partition: 3 }])
  await refused('INVALID_PARTITIONS', () => admin.createPartitions({ topicPartitions: [{ topic: name, count: 2 }] }))
})

test('configs', async () => {
  const name = await create(topic('configs'), 1, { 'retention.ms': '12345' })
  const value = async (type, resource, key) => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: true, resources: [{ type, name: resource }] })
    return resources[0].configEntries.find(entry => entry.configName === key).configValue
  }
  equal(await value(ConfigResourceTypes.TOPIC, name, 'retention.ms'), '12345', 'retention.ms')
  equal(await value(ConfigResourceTypes.TOPIC, name, 'max.message.bytes'), '1048588', 'max.message.bytes')
  const alter = entries => admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries: entries }] })
  await alter([{ name: 'max.message.bytes', value: '5000' }])
  await eventually('altered', async () => (await value(ConfigResourceTypes.TOPIC, name, 'max.message.bytes')) === '5000')
  equal(await value(ConfigResourceTypes.TOPIC, name, 'retention.ms'), '604800000', 'the legacy call replaces all overrides')
  await refused('INVALID_CONFIG', () => alter([{ name: 'max.message.bytes', value: 'x' }]))
  const { controller } = await admin.describeCluster()
  equal(await value(ConfigResourceTypes.BROKER, String(controller), 'message.max.bytes'), '1048588', 'message.max.bytes')
})

test('offsets', async () => {
  const name = await create(topic('offsets'))
  equal(await offsets(name), [{ partition: 0, offset: '0', high: '0', low: '0' }], 'of an empty topic')
  const start = Date.now() - 50_000
  await produce(name, Array.from({ length: 100 }, (_, n) => ({ value: `v${n}`, partition: 0, timestamp: String(start + n * 10) })))
  equal(await offsets(name), [{ partition: 0, offset: '100', high: '100', low: '0' }], 'offsets')
  equal(await admin.fetchTopicOffsetsByTimestamp(name, start + 421), [{ partition: 0, offset: '43' }], 'by timestamp')
  await admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: '37' }] })
  equal(await offsets(name), [{ partition: 0, offset: '100', high: '100', low: '37' }], 'after deleting records')
  equal(read(name)[0].value.toString(), 'v37', 'first record')
})

test('reassignments', async () => {
  const name = await create(topic('reassign'))
  const { controller } = await admin.describeCluster()
  await admin.alterPartitionReassignments({ topics: [{ topic: name, partitionAssignment: [{ partition: 0, replicas: [controller] }] }] })
  equal((await admin.listPartitionReassignments({})).topics, [], 'reassignments')
})

test('acls-are-disabled', async () => {
  await refused('SECURITY_DISABLED', () => admin.describeAcls({
    resourceType: AclResourceTypes.ANY, resourcePatternType: ResourcePatternTypes.ANY, operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY,
  }))
})

// --- checks

function equal(got, want, what) {
  const short = value => inspect(value, { depth: 6 }).slice(0, 250)
  if (!isDeepStrictEqual(got, want)) throw new Error(`${what}: want ${short(want)}, got ${short(got)}`)
}

async function eventually(what, check) {
  for (const deadline = Date.now() + 20_000; !(await check());) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** The call must fail with that error type. */
async function refused(want, call) {
  let answer
  try {
    answer = await call()
  } catch (error) {
    const types = [error.type, error.originalError?.type, error.cause?.type, ...(error.errors || []).map(e => e.type)].filter(Boolean)
    if (types.includes(want)) return
    throw new Error(`want ${want}, got ${types} ${error}`, { cause: error })
  }
  throw new Error(`want ${want}, got no error but ${inspect(answer)}`)
}

main()
