import type { Endpoints } from '../../../bridges/zmq/sockets.ts'
import { crowd, flood, subscribe } from './attacks.ts'

/** One attack in a process of its own: the endpoints as JSON, and its name. */
const endpoints = JSON.parse(process.argv[2]!) as Endpoints
const ATTACKS: Readonly<Record<string, () => Promise<unknown>>> = {
  'nothing for 3 s': () => new Promise((resolve) => setTimeout(resolve, 3000)),
  'subscriptions 10 x 200 kB': () => subscribe(endpoints, 10, 200_000),
  'subscriptions 50,000 x 1 kB': () => subscribe(endpoints, 50_000, 1000),
  'subscriptions 1,000,000 x 40 B': () => subscribe(endpoints, 1_000_000, 40),
  '3,000 connections in 2 s': () => crowd(endpoints, 3000, 2000),
  'flood of 500 B': () => flood(endpoints, 500, 3000),
  'flood of 10 B': () => flood(endpoints, 10, 3000),
  'four floods': () => Promise.all([1, 10, 500, 200_000].map((bytes) => flood(endpoints, bytes, 3000))),
}
process.on('message', (name) => {
  void ATTACKS[name as string]!().then(() => process.send?.('done'))
})
process.on('disconnect', () => process.exit())
process.send?.(Object.keys(ATTACKS))
