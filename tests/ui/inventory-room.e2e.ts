// The inventory's table has room for whatever runs have made, however it is called.
import { it } from 'vitest';
import { fitsTables, looks, open, Server } from './harness';

it('has room at 1280 px for things with long names that a run has left behind', async () => {
  const server = await Server.start({ playground: true });
  await server.save('provision/leaves-things-behind-on-purpose', `const WORKFLOW = #{ name: "provision/leaves-things-behind-on-purpose", title: "Leaves things", permissions: ["hetzner.*:*"], rollback: "none" };
fn run(input) {
    hetzner::create_server("main", "a-machine-whose-name-says-at-length-what-it-is-for", #{ server_type: "cx23", image: "debian-13", location: "fsn1" });
    throw "the rest doesn't work";
}
`);
  const run = await server.launch('provision/leaves-things-behind-on-purpose');
  await server.reaches(run, 'failed', 'rolled_back');
  const page = await open(server, '/resources');
  await page.getByText('left behind', { exact: true }).waitFor();
  await fitsTables(page);
  await looks(page, 'inventory-left');
});
