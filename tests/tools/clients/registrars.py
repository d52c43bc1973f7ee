"""Drives OVH and GoDaddy at addresses with their own clients: `registrars.py <ovh> <godaddy> <key> <read-only key> <secret>`."""
import sys
import time

import ovh
from godaddypy import Account, Client

OVH, GODADDY, KEY, READ_ONLY, SECRET = sys.argv[1:6]
SERVERS = ["ns1.example.org", "ns2.example.org"]


def check_ovh():
    ovh.client.ENDPOINTS["simulated"] = OVH

    def client(consumer, secret=SECRET):
        return ovh.Client("simulated", application_key="sim-application", application_secret=secret, consumer_key=consumer)

    mine = client(KEY)
    assert "ours.example" in mine.get("/domain")
    mine.put("/domain/ours.example", nameServerType="external")
    task = mine.post("/domain/ours.example/nameServers/update", nameServers=[{"host": host} for host in SERVERS])
    while task["status"] != "done":
        time.sleep(0.1)
        task = mine.get(f"/domain/ours.example/task/{task['id']}")
    ids = mine.get("/domain/ours.example/nameServer")
    servers = [mine.get(f"/domain/ours.example/nameServer/{id}") for id in ids]
    assert [one["host"] for one in servers if not one["toDelete"]] == SERVERS, servers
    for wrong, error in [
        (client("nobody"), ovh.exceptions.InvalidCredential),
        (client(KEY, "another"), ovh.exceptions.APIError),
    ]:
        try:
            wrong.get("/domain")
        except error:
            continue
        raise AssertionError(f"{error} was expected")
    try:
        client(READ_ONLY).post("/domain/ours.example/nameServers/update", nameServers=[])
    except ovh.exceptions.NotGrantedCall:
        pass
    else:
        raise AssertionError("a missing right was expected")
    print("ovh: fine")


def check_godaddy():
    Client.API_TEMPLATE = GODADDY
    account = Account(api_key=KEY, api_secret=SECRET)
    client = Client(account)
    client.API_TEMPLATE = GODADDY
    assert "ours.example" in client.get_domains()
    assert client.get_domain_info("ours.example")["nameServers"]
    client.update_domain("ours.example", nameServers=SERVERS)
    assert client.get_domain_info("ours.example")["nameServers"] == SERVERS
    print("godaddy: fine")


check_ovh()
check_godaddy()
