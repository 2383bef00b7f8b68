import { CheckpointStore } from '../../src/io/checkpoints.ts'

/** Saves checkpoint after checkpoint until the process is killed; every array and value of step n is n. */
const store = new CheckpointStore(process.argv[2]!, { keep: 2 })
for (let step = Number(process.argv[3]); ; step++) {
  const data = new Float32Array(200_000).fill(step)
  const arrays = { data: { data, shape: [data.length] } }
  await store.save(step, { model: arrays, trainingState: { replay: arrays, agent: arrays }, json: { counter: step } })
  process.stdout.write(`${step}\n`)
}
