// Testcontainers' Kafka module for Node, with the image `ottla` in the place of the one that it is made for.
const assert = require('node:assert')
const { KafkaContainer } = require('@testcontainers/kafka')
const { Kafka, logLevel } = require('kafkajs')

// What the module's own test of each container does: a record is sent to a new topic, and a group reads it.
async function functions(made) {
  const container = await made.withStartupTimeout(60_000).start()
  const kafka = new Kafka({ logLevel: logLevel.NOTHING, brokers: [`${container.getHost()}:${container.getMappedPort(9093)}`] })
  const [producer, consumer] = [kafka.producer(), kafka.consumer({ groupId: 'test-group' })]
  try {
    await Promise.all([producer.connect(), consumer.connect()])
    await producer.send({ topic: 'test-topic', messages: [{ value: 'test message' }] })
    await consumer.subscribe({ topic: 'test-topic', fromBeginning: true })
    const read = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error('nothing was read within 30 s')), 30_000).unref()
      consumer.run({ eachMessage: async ({ message }) => resolve(message.value.toString()) }).catch(reject)
    })
    assert.strictEqual(await read, 'test message')
  } finally {
    await Promise.allSettled([producer.disconnect(), consumer.disconnect()])
    await container.stop()
  }
}

const tests = {
  'testcontainers-node': () => new KafkaContainer('confluentinc/cp-kafka:7.6.0'),
  'testcontainers-node-with-kraft': () => new KafkaContainer('confluentinc/cp-kafka:7.6.0').withKraft(),
  // From version 8 on it is KRaft without being asked.
  'testcontainers-node-newer': () => new KafkaContainer('confluentinc/cp-kafka:8.0.0')
}

async function run(name) {
  try {
    await functions(tests[name]())
    console.log(`ok ${name}`)
  } catch (error) {
    console.log(`not ok ${name}: ${String(error?.stack ?? error).slice(0, 900).replaceAll('\n', ' | ')}`)
  }
}

// Whatever of it still waits is not waited for.
Promise.all(Object.keys(tests).map(run)).then(() => process.exit(0))
