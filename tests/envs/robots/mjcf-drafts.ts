import type { Draft } from './urdf-drafts.ts'

/** The same robot as MJCF: a sound arm, with its speeds lost. */
export function mjcfOf({ links, joints }: Draft): string {
  const body = (name: string): string => {
    const link = links.find((one) => one.name === name)!
    const joint = joints.find(({ child }) => child === name)
    const children = joints.filter(({ parent }) => parent === name)
    const [xx, yy, zz] = link.inertia
    const inertial = link.inertial ? `<inertial pos="0 0 0" mass="${link.mass}" diaginertia="${xx} ${yy} ${zz}"/>` : ''
    const moving =
      joint === undefined || joint.type === 'fixed'
        ? ''
        : `<joint name="${joint.name}" axis="${joint.axis}" range="${joint.lower} ${joint.upper}" actuatorfrcrange="-${joint.effort} ${joint.effort}"/>`
    if (!link.inertial) return `<site name="${name}" pos="${joint!.xyz}"/>`
    return `<body name="${name}" pos="${joint?.xyz ?? '0 0 0'}">${inertial}${moving}${geomOf(link.collision)}
${children.map(({ child }) => body(child)).join('\n')}</body>`
  }
  const root = links.find(({ name }) => joints.every(({ child }) => child !== name))!
  return `<mujoco model="draft"><compiler angle="radian" autolimits="true"/>
<worldbody><geom name="floor" type="plane" size="1 1 0.1"/><light pos="0 0 2"/>${body(root.name)}</worldbody></mujoco>\n`
}

/** MuJoCo writes half of a cylinder's length. */
function geomOf(shape: string): string {
  const [, at, radius, length] = /xyz="([^"]*)".*radius="([^"]*)" length="([^"]*)"/.exec(shape)!
  return `<geom type="cylinder" pos="${at}" size="${radius} ${Number(length) / 2}"/>`
}
