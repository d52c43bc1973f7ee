"""Drives a Hetzner Cloud at an address with the official client: `hetzner.py <url> <token> <read-only token>`.

Makes one of everything, looks at it, changes it, meets refusals, and takes everything away again.
"""
import sys

import hcloud
from hcloud import APIException, Client
from hcloud.firewalls import FirewallResource, FirewallRule
from hcloud.images import Image
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    LoadBalancerAlgorithm,
    LoadBalancerHealthCheck,
    LoadBalancerService,
    LoadBalancerTarget,
    LoadBalancerTargetLabelSelector,
)
from hcloud.locations import Location
from hcloud.networks import NetworkRoute, NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.servers import ServerCreatePublicNetwork
from hcloud.zones import ZoneRecord

URL, TOKEN, READ_ONLY = sys.argv[1:4]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E tester"
LABELS = {"env": "test", "empty": ""}


def client(token):
    return Client(token=token, api_endpoint=URL, poll_interval=0.02, application_name="windlass-tests")


def refused(code, call):
    try:
        call()
    except APIException as error:
        assert error.code == code, f"{error.code} instead of {code}: {error.message}"
        return error
    raise AssertionError(f"{code} was expected")


cloud = client(TOKEN)
fsn1 = cloud.locations.get_by_name("fsn1")
assert fsn1.network_zone == "eu-central"
sizes = {size.name: size for size in cloud.server_types.get_all()}
assert {"cx23", "cx33", "cx43"} <= set(sizes) and "cx22" not in sizes
assert all(not place.deprecation for size in sizes.values() for place in size.locations)
pricing = cloud._client.request if hasattr(cloud, "_client") else cloud.request
assert pricing("GET", "/pricing")["pricing"]["currency"] == "EUR"

# networks and subnets
network = cloud.networks.create(
    name="net", ip_range="10.0.0.0/16", labels=LABELS,
    subnets=[NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.0.1.0/24")],
)
network.add_subnet(NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.0.2.0/24")).wait_until_finished()
network.add_route(NetworkRoute(destination="10.100.0.0/16", gateway="10.0.1.5")).wait_until_finished()
network.reload()
assert [subnet.ip_range for subnet in network.subnets] == ["10.0.1.0/24", "10.0.2.0/24"]
assert network.routes[0].gateway == "10.0.1.5"
network.delete_route(network.routes[0]).wait_until_finished()

# a firewall, a key, a group
rule = FirewallRule(direction="in", protocol="tcp", port="22", source_ips=["0.0.0.0/0", "::/0"], description="ssh")
made = cloud.firewalls.create(name="wall", rules=[rule], labels=LABELS)
for action in made.actions or []:
    action.wait_until_finished()
wall = made.firewall
key = cloud.ssh_keys.create(name="key", public_key=KEY, labels=LABELS)
assert cloud.ssh_keys.get_by_fingerprint(key.fingerprint).id == key.id
refused("uniqueness_error", lambda: cloud.ssh_keys.create(name="other", public_key=KEY))
group = cloud.placement_groups.create(name="apart", type="spread", labels=LABELS).placement_group

# servers
made = cloud.servers.create(
    name="one", server_type=ServerType(name="cx23"), image=Image(name="debian-13"), location=Location(name="fsn1"),
    ssh_keys=[key], networks=[network], firewalls=[wall], placement_group=group, labels=LABELS | {"role": "web"},
    user_data="#cloud-config\n", public_net=ServerCreatePublicNetwork(enable_ipv4=True, enable_ipv6=True),
)
assert made.root_password is None
refused("locked", made.server.power_off)
made.action.wait_until_finished()
for action in made.next_actions:
    action.wait_until_finished()
one = made.server
one.reload()
assert one.status == "running" and one.location.name == "fsn1" and one.placement_group.id == group.id
assert one.private_net[0].ip.startswith("10.0.1.") and one.public_net.ipv4.ip and one.public_net.firewalls
assert [server.id for server in cloud.servers.get_all(label_selector="role=web,!missing")] == [one.id]
assert cloud.servers.get_all(label_selector="role!=web") == []
assert cloud.actions.get_by_id(made.action.id).status == "success"

two = cloud.servers.create(name="two", server_type=ServerType(name="cax11"), image=Image(name="ubuntu-24.04"), location=Location(name="fsn1"))
assert two.root_password
for action in [two.action, *two.next_actions]:
    action.wait_until_finished()
two = two.server
two.attach_to_network(network, ip="10.0.2.7").wait_until_finished()
refused("server_already_attached", lambda: two.attach_to_network(network))
two.power_off().wait_until_finished()
two.change_type(ServerType(name="cax21"), upgrade_disk=False).wait_until_finished()
two.power_on().wait_until_finished()
two.reload()
assert two.server_type.name == "cax21" and two.image.architecture == "arm" and two.private_net[0].ip == "10.0.2.7"
snapshot = two.create_image(description="before", type="snapshot", labels=LABELS)
snapshot.action.wait_until_finished()
assert cloud.images.get_by_id(snapshot.image.id).status == "available"
two.rebuild(Image(id=snapshot.image.id)).action.wait_until_finished()
two.enable_rescue().action.wait_until_finished()
two.change_dns_ptr(two.public_net.ipv4.ip, "two.example.net").wait_until_finished()
two.update(name="second", labels={"a": "b"})
two.change_protection(delete=True, rebuild=True).wait_until_finished()
refused("protected", two.delete)
two.change_protection(delete=False, rebuild=False).wait_until_finished()
refused("uniqueness_error", lambda: cloud.servers.create(name="one", server_type=ServerType(name="cx23"), image=Image(name="debian-13")))
refused("invalid_input", lambda: cloud.servers.create(name="x", server_type=ServerType(name="cx22"), image=Image(name="debian-13")))
refused("not_found", lambda: cloud.servers.get_by_id(1))

# volumes
volume = cloud.volumes.create(name="data", size=10, server=one, format="ext4", labels=LABELS)
volume.action.wait_until_finished()
for action in volume.next_actions:
    action.wait_until_finished()
volume = volume.volume
volume.resize(20).wait_until_finished()
volume.reload()
assert volume.server.id == one.id and volume.size == 20
volume.detach().wait_until_finished()
volume.attach(one, automount=False).wait_until_finished()

# primary IPs
ip = cloud.primary_ips.create(type="ipv4", name="ip", assignee_type="server", location=Location(name="fsn1"), auto_delete=False, labels=LABELS).primary_ip
refused("server_not_stopped", lambda: ip.assign(one.id, "server"))
ip.change_dns_ptr(ip.ip, "ip.example.net").wait_until_finished()
ip.update(name="address")

# load balancers
balancer = cloud.load_balancers.create(
    name="front", load_balancer_type=LoadBalancerType(name="lb11"), location=Location(name="fsn1"), network=network,
    algorithm=LoadBalancerAlgorithm(type="round_robin"), labels=LABELS,
    services=[LoadBalancerService(
        protocol="tcp", listen_port=443, destination_port=443, proxyprotocol=False,
        health_check=LoadBalancerHealthCheck(protocol="tcp", port=443, interval=15, timeout=10, retries=3),
    )],
)
balancer.action.wait_until_finished()
balancer = balancer.load_balancer
balancer.add_service(LoadBalancerService(
    protocol="tcp", listen_port=6443, destination_port=6443, proxyprotocol=False,
    health_check=LoadBalancerHealthCheck(protocol="tcp", port=6443, interval=15, timeout=10, retries=3),
)).wait_until_finished()
target = LoadBalancerTarget(type="label_selector", label_selector=LoadBalancerTargetLabelSelector(selector="role=web"), use_private_ip=True)
balancer.add_target(target).wait_until_finished()
balancer.add_target(LoadBalancerTarget(type="server", server=two, use_private_ip=False)).wait_until_finished()
balancer.reload()
assert [service.listen_port for service in balancer.services] == [443, 6443] and len(balancer.targets) == 2
balancer.delete_service(balancer.services[0]).wait_until_finished()

# the firewall's resources
wall.set_rules([rule]) and None
wall.apply_to_resources([FirewallResource(type="server", server=two)])[0].wait_until_finished()
refused("resource_in_use", wall.delete)
wall.remove_from_resources([FirewallResource(type="server", server=two)])[0].wait_until_finished()

# zones
zone = cloud.zones.create(name="example.org", mode="primary", labels=LABELS)
zone.action.wait_until_finished()
zone = zone.zone
rrset = zone.create_rrset(name="www", type="A", records=[ZoneRecord(value="192.0.2.1")], ttl=300)
rrset.action.wait_until_finished()
zone.add_rrset_records(rrset.rrset, [ZoneRecord(value="192.0.2.2", comment="two")]).wait_until_finished()
found = zone.get_rrset("www", "A")
assert [record.value for record in found.records] == ["192.0.2.1", "192.0.2.2"]
assert "192.0.2.2" in zone.export_zonefile().zonefile
refused("invalid_input", lambda: cloud.zones.create(name="sub.example.org", mode="primary"))
zone.delete_rrset(found).action.wait_until_finished()

# pages
for number in range(30):
    cloud.placement_groups.create(name=f"g{number}", type="spread", labels={"many": "yes"})
assert len(cloud.placement_groups.get_all(label_selector="many")) == 30
page = cloud.placement_groups.get_list(label_selector="many", per_page=20, page=2, sort="name:desc")
assert len(page.placement_groups) == 10 and page.meta.pagination.last_page == 2

# tokens
refused("unauthorized", lambda: client("wrong").servers.get_all())
assert client(READ_ONLY).servers.get_all()
refused("token_readonly", lambda: client(READ_ONLY).placement_groups.create(name="no", type="spread"))

# all of it away again, by its labels only
zone.delete().action.wait_until_finished()
balancer.delete().action.wait_until_finished()
for server in (one, two):
    server.delete().wait_until_finished()
volume.reload()
assert volume.server is None
volume.delete()
cloud.images.delete(snapshot.image)
ip.delete()
wall.delete()
key.delete()
for group in cloud.placement_groups.get_all():
    group.delete()
network.delete()
for kind in ("servers", "networks", "firewalls", "load_balancers", "volumes", "placement_groups", "ssh_keys", "primary_ips", "zones"):
    assert getattr(cloud, kind).get_all() == [], f"{kind} are left"
print("everything was made, looked at and taken away with hcloud", hcloud.__version__)
