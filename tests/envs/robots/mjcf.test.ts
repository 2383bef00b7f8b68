import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { chainOf, Kinematics } from '../../../envs/robots/kinematics.ts'
import { compileMjcf } from '../../../envs/robots/mujoco-model.ts'
import { loadRobot } from '../../../envs/robots/robot-file.ts'
import { limitsOfRobot } from '../../../envs/robots/robot-limits.ts'
import { tipOf } from '../../../envs/robots/tip.ts'
import { parseUrdf } from '../../../envs/robots/urdf.ts'
import { makeArmReach } from '../../../envs/tasks/arm-reach.ts'
import { ArmatureError } from '../../../src/core/errors.ts'
import { Rng } from '../../../src/core/rng.ts'
import { symmetricSpace } from '../../../src/core/spaces.ts'
import { ballFaces, binaryStl, boxFaces, obj } from './mesh-drafts.ts'
import { mjcfOf } from './mjcf-drafts.ts'
import { expectReaching } from './reaching.ts'
import { soundArm, urdfOf } from './urdf-drafts.ts'

const folder = mkdtempSync(join(tmpdir(), 'armature-mjcf-'))
afterAll(() => rmSync(folder, { recursive: true }))
let written = 0

/** Writes `arm.xml` and what lies beside it; returns its path. */
function write(xml: string, files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const root = join(folder, String(written++))
  for (const [path, content] of Object.entries({ 'arm.xml': xml, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return join(root, 'arm.xml')
}

/** A body with some hinges and what else is said of it. */
function armWith(inside: string, { head = '', tail = '' } = {}): string {
  return write(`<mujoco>${head}<worldbody><body name="base"><geom size="0.05"/>
<body name="upper" pos="0 0 0.1"><joint name="a" axis="0 1 0" range="-1 1"/><geom size="0.05"/>${inside}</body></body></worldbody>${tail}</mujoco>`)
}

const RAD = '<compiler angle="radian"/>'

describe('a robot from MJCF', () => {
  it('is the one that the same arm is as URDF', async () => {
    const [ours, theirs] = [await loadRobot(write(mjcfOf(soundArm()))), parseUrdf(String(urdfOf(soundArm())))]
    const moving = ({ joints }: typeof ours): unknown[] =>
      joints
        .filter(({ kind }) => kind !== 'fixed')
        .map(({ name, kind, axis, lower, upper, maxEffort, child }) => ({
          name,
          kind,
          axis,
          lower,
          upper,
          maxEffort,
          child,
        }))
    expect(moving(ours)).toEqual(moving(theirs))
    for (const { name, massKg, inertia, collisions } of theirs.links) {
      const link = ours.links.find((one) => one.name === name)!
      expect(link.massKg).toBeCloseTo(massKg, 12)
      inertia.forEach((moment, i) => expect(link.inertia[i]).toBeCloseTo(moment, 12))
      expect(link.collisions.map(({ shape, pose }) => ({ shape, pose }))).toEqual(collisions)
    }
    const [a, b] = [ours, theirs].map((model) => new Kinematics(chainOf(model, model.links[0]!.name, 'tool')))
    const rng = new Rng(1)
    for (let trial = 0; trial < 10; trial++) {
      const q = Float64Array.from(a!.joints, () => rng.uniform(-2, 2))
      a!.forward(q)
      b!.forward(q)
      a!.positions.slice(-3).forEach((x, i) => expect(x).toBeCloseTo(b!.positions.at(i - 3)!, 9))
    }
    expect(ours.notices).toEqual(['MJCF tells no speeds, and usual ones are taken: all joints'])
    expect(tipOf(ours)).toBe('tool')
  })

  it.each([1, 0.3])('reaches, at %s of its size', async (scale) => {
    const env = await makeArmReach({ size: 1, supersample: 'off', robot: write(mjcfOf(soundArm(scale))) })
    await expectReaching(env, 5)
    await env.close()
  })

  it('moves as in MuJoCo: anchors, references, several joints of a body, frames of Euler angles', async () => {
    const path = write(`<mujoco><compiler angle="degree" eulerseq="zyx"/><worldbody>
<body name="b" pos="0.1 0.2 0.3" euler="10 20 30"><geom size="0.1"/>
<joint name="pan" axis="0 0 1" pos="0.01 0.02 0.03" range="-90 90" ref="25"/>
<joint name="tilt" axis="0 1 1" pos="-0.02 0 0.05" range="-60 80"/>
<body name="c" pos="0 0 0.4" quat="0.5 0.5 0.5 0.5"><geom type="box" size="0.1 0.05 0.02"/>
<joint name="slide" type="slide" axis="1 0 1" range="-0.1 0.2" ref="0.05"/>
<body name="d" pos="0.1 0 0"><joint name="roll" axis="1 0 0"/><geom size="0.05"/><site name="end" pos="0.3 0.1 0" euler="0 90 0"/></body>
</body></body></worldbody></mujoco>`)
    const model = await loadRobot(path)
    const ours = new Kinematics(model)
    expect(ours.joints.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'pan revolute',
      'tilt revolute',
      'slide prismatic',
      'roll continuous',
    ])
    expect(ours.upper[0]).toBeCloseTo(Math.PI / 2, 9)
    const { mujoco, model: theirs } = await compileMjcf('arm.xml', new Map([['arm.xml', readFileSync(path)]]))
    const data = new mujoco.MjData(theirs)
    const rng = new Rng(2)
    for (let trial = 0; trial < 20; trial++) {
      const q = Float64Array.of(rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-0.1, 0.2), rng.uniform(-3, 3))
      ;(data.qpos as Float64Array).set(q)
      mujoco.mj_kinematics(theirs, data)
      ours.forward(q)
      const end = ours.linkIndex('end')
      ;(data.site_xpos as Float64Array).forEach((x, i) => expect(ours.positions[3 * end + i]).toBeCloseTo(x, 9))
      ;(data.site_xmat as Float64Array).forEach((x, i) => expect(ours.rotations[9 * end + i]).toBeCloseTo(x, 9))
    }
  })

  it('takes classes, included files and meshes of assets', async () => {
    const path = write(
      `<mujoco><compiler angle="radian" meshdir="assets"/><include file="parts/defaults.xml"/>
<asset><mesh name="rod" file="rod.stl" scale="0.001 0.001 0.001"/><mesh file="ball.obj"/><material name="red" rgba="1 0 0 1"/></asset>
<worldbody><body name="base" childclass="arm"><geom class="shown" mesh="rod" material="red"/>
<body name="upper" pos="0 0 0.3"><joint name="a"/><geom class="shown" mesh="ball"/><geom class="solid" type="capsule" size="0.02 0.1"/></body></body></worldbody></mujoco>`,
      {
        'parts/defaults.xml':
          '<mujocoinclude><default><default class="arm"><joint axis="0 1 0" range="-2 1"/><default class="shown"><geom type="mesh" contype="0" conaffinity="0" group="2"/></default><default class="solid"><geom group="3"/></default></default></default></mujocoinclude>',
        'assets/rod.stl': binaryStl(boxFaces(1000)),
        'assets/ball.obj': obj(ballFaces(20_000)),
      },
    )
    const { links, joints, notices } = await loadRobot(path)
    const joint = joints.find(({ name }) => name === 'a')!
    expect([joint.axis, joint.lower, joint.upper]).toEqual([[0, 1, 0], -2, 1])
    const [base, upper] = ['base', 'upper'].map((name) => links.find((link) => link.name === name)!)
    expect(base!.visuals[0]!.color).toEqual([255, 0, 0])
    expect([base!.collisions.length, upper!.visuals.length, upper!.collisions.length]).toEqual([0, 1, 1])
    expect(upper!.collisions[0]!.shape).toEqual({ kind: 'capsule', radiusM: 0.02, heightM: 0.2 })
    // A box of 4 x 4 x 30 cm of the density of water.
    expect(base!.massKg).toBeCloseTo(0.48, 6)
    expect(notices!.some((line) => /visual meshes are simplified: \d+ triangles to/.test(line))).toBe(true)
  })

  it.each([
    ['motors', '<motor joint="a" gear="10" ctrlrange="-3 2"/>', 30],
    ['servos with a range of forces', '<position joint="a" kp="100" ctrlrange="-1 1" forcerange="-87 87"/>', 87],
    ['servos without one', '<position joint="a" kp="100" ctrlrange="-1 1"/>', 0],
    ['no actuators', '', 0],
  ])('has the efforts of %s', async (_name, actuator, effort) => {
    const path = armWith('', { head: RAD, tail: `<actuator>${actuator}</actuator>` })
    const { joints, notices } = await loadRobot(path)
    expect(joints.find(({ name }) => name === 'a')!.maxEffort).toBeCloseTo(effort, 9)
    expect(notices!.some((line) => line.startsWith('no range of forces is told'))).toBe(effort === 0)
  })

  it('ties fingers as the file does, and tells what it leaves out in one line each', async () => {
    const finger = (name: string, y: number): string =>
      `<body name="${name}" pos="0 ${y} 0.1"><joint name="${name}_slide" type="slide" axis="0 1 0" range="-0.04 0.04"/><geom size="0.01"/></body>`
    const path = armWith(finger('left', 0.03) + finger('right', -0.03), {
      head: RAD,
      tail: `<tendon><fixed name="split"><joint joint="left_slide" coef="1"/></fixed></tendon>
<equality><joint joint1="right_slide" joint2="left_slide" polycoef="0 -1 0 0 0"/><weld name="glue" body1="base" body2="upper"/></equality>`,
    })
    const { joints, notices } = await loadRobot(path)
    const follower = joints.find(({ name }) => name === 'right_slide')!
    expect(follower.mimic).toEqual({ joint: 'left_slide', multiplier: -1, offset: 0 })
    expect(notices).toContain('tendons are left out: split')
    expect(notices).toContain('constraints (equality) are left out: glue')
  })

  it('leaves out what lies beside the robot', async () => {
    const path =
      write(`<mujoco><worldbody><geom type="plane" size="1 1 1"/><body name="cube"><freejoint/><geom size="0.1"/></body>
<body name="table"><geom type="box" size="1 1 0.1"/></body><body name="target" mocap="true"/>
<body name="base"><geom size="0.1"/><body name="upper"><joint name="a" range="-90 90"/><geom size="0.1"/></body></body></worldbody></mujoco>`)
    const { links, notices } = await loadRobot(path)
    expect(links.map(({ name }) => name)).toEqual(['world', 'base', 'upper'])
    expect(notices).toContain('what stands or lies beside the robot is left out: cube, table, target')
  })

  it('has rods in the place of meshes that are not there', async () => {
    const path =
      write(`<mujoco><asset><mesh name="m" file="none.stl"/></asset><worldbody><body name="base"><geom type="mesh" mesh="m"/>
<body name="upper" pos="0 0 0.3"><joint name="a" range="-90 90"/><geom size="0.1"/></body></body></worldbody></mujoco>`)
    const { links, notices } = await loadRobot(path)
    expect(links[1]!.visuals.map(({ shape }) => shape.kind)).toEqual(['capsule'])
    expect(notices).toContain('a mesh file was not found, and the link has its other shape or a rod instead: base')
  })

  it('gives limits for the bridge, conservative where the file tells nothing', async () => {
    const model = await loadRobot(write(mjcfOf(soundArm())))
    const names = ['turn1_rad', 'turn2_rad']
    const limits = limitsOfRobot(model, {
      name: 'driver',
      actionSpace: symmetricSpace([3, 3], names),
      actionKind: 'position',
      controlHz: 20,
    })
    const [first] = limits['elements'] as Record<string, number>[]
    expect(first).toMatchObject({ name: 'turn1_rad', min: -2.8, max: 2.8, maxVelocity: 0.5 })
  })
})

describe('what is no robot in MJCF is refused in one line:', () => {
  it.each([
    ['an attribute that is misspelt', () => armWith('<joint rnge="0 1"/>'), /unrecognized attribute: 'rnge'.*line 2/],
    ['text that breaks off', () => write('<mujoco><worldbody><body>'), /not well-formed XML/],
    [
      'a ball joint',
      () => armWith('<body name="w"><joint name="wrist" type="ball"/><geom size="0.1"/></body>'),
      /joint "wrist": expected hinge or slide joints, got a ball joint/,
    ],
    [
      'a slide without a range',
      () => armWith('<body><joint name="rail" type="slide"/><geom size="0.1"/></body>'),
      /slide joint "rail" has no range/,
    ],
    [
      'nothing that moves',
      () => write('<mujoco><worldbody><body><geom size="0.1"/></body></worldbody></mujoco>'),
      /expected a robot with hinge or slide joints/,
    ],
    [
      'an included file that is not there',
      () => write('<mujoco><include file="none.xml"/></mujoco>'),
      /file none.xml that arm.xml includes/,
    ],
    [
      'a body without mass that moves',
      () => armWith('<body name="hollow"><joint/></body>'),
      /mass and inertia of moving bodies.*'hollow'/,
    ],
  ])('%s', async (_name, path, says) => {
    const error = await loadRobot(path()).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ArmatureError)
    expect((error as Error).message).toMatch(says)
    expect((error as Error).message).not.toContain('\n')
  })
})
