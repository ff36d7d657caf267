'use strict'
// Members on kafkajs; host.py describes commands and events.
const fs = require('node:fs')
const readline = require('node:readline')
const { Kafka, logLevel } = require('kafkajs')

const { BOOTSTRAP, GROUP, TOPIC } = process.env
const events = fs.openSync(process.env.EVENTS, 'a')
const event = (...words) => fs.writeSync(events, `${words.join(' ')}\n`)
const members = new Map()

async function start(name) {
  const kafka = new Kafka({ clientId: name, brokers: [BOOTSTRAP], logLevel: logLevel.NOTHING, retry: { retries: 50, maxRetryTime: 500 } })
  const consumer = kafka.consumer({ groupId: GROUP, sessionTimeout: 6000, heartbeatInterval: 500, metadataMaxAge: 1000, maxWaitTimeInMs: 200 })
  let owned = []
  const give = () => {
    if (owned.length > 0) event(name, 'give', ...owned)
    owned = []
  }
  consumer.on(consumer.events.REBALANCING, give)
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    give()
    owned = payload.memberAssignment[TOPIC] || []
    if (owned.length > 0) event(name, 'own', ...owned)
  })
  await consumer.connect()
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
  members.set(name, async () => {
    await consumer.stop()
    give()
    await consumer.disconnect()
    event(name, 'closed')
  })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, isStale, isRunning, heartbeat }) => {
      let next
      for (const { offset, value } of batch.messages) {
        if (!isRunning() || isStale() || !owned.includes(batch.partition)) break
        event(name, 'read', batch.partition, offset, value.toString())
        resolveOffset(offset)
        next = (BigInt(offset) + 1n).toString()
      }
      if (next !== undefined) {
        await consumer.commitOffsets([{ topic: TOPIC, partition: batch.partition, offset: next }])
        event(name, 'commit', batch.partition, next)
      }
      await heartbeat()
    },
  })
}

readline.createInterface({ input: process.stdin }).on('line', line => {
  const [command, name] = line.trim().split(' ')
  const done = command === 'start' ? start(name) : members.get(name)()
  done.catch(error => event(name, 'error', String(error)))
})
