"""Drives a Guacamole at an address with guacapy: `guacamole.py <host> <port> <path> <user> <password>`."""

import copy
import sys

import requests
from guacapy import Guacamole
from guacapy.managers import ConnectionManager

host, port, path, user, password = sys.argv[1:]


def log_in(name, word):
    return Guacamole(
        hostname=host,
        connection_port=int(port),
        connection_protocol="http",
        base_url_path=path + "/",
        username=name,
        password=word,
        default_datasource="postgresql",
    )


def refused(status, call):
    try:
        call()
    except requests.HTTPError as error:
        assert error.response.status_code == status, error.response.text
        body = error.response.json()
        assert set(body) >= {"message", "translatableMessage", "statusCode", "expected", "type"}, body
        return body
    raise AssertionError("it was answered")


assert refused(403, lambda: log_in("guacadmin", "guacadmin"))["type"] == "INVALID_CREDENTIALS"
api = log_in(user, password)
assert api.users.self_details()["username"] == user

group = api.connection_groups.create(
    {"parentIdentifier": "ROOT", "name": "lab", "type": "ORGANIZATIONAL", "attributes": {"max-connections": "", "max-connections-per-user": ""}}
)
wanted = copy.deepcopy(ConnectionManager.VNC_TEMPLATE)
wanted.update({"name": "r1", "parentIdentifier": group["identifier"]})
wanted["parameters"].update({"hostname": "127.0.0.1", "port": "5901"})
made = api.connections.create(wanted)
number = made["identifier"]
assert api.connections.create(wanted) is None, "the name is taken"
assert api.connections.details(number)["name"] == "r1"
assert api.connections.parameters(number)["port"] == "5901"
assert number in api.connections.list()
wanted["name"] = "r2"
api.connections.update(number, wanted)
assert api.connections.details(number)["name"] == "r2"
refused(404, lambda: api.connections.details("4711"))

api.users.create({"username": "ann", "password": "first", "attributes": {"disabled": ""}})
api.user_groups.create({"identifier": "students", "attributes": {"disabled": ""}})
api.users.assign_usergroups("ann", "students")
assert api.users.user_usergroups("ann") == ["students"]
assert api.user_groups.members("students") == ["ann"]
api.users.assign_connection("ann", number)
api.users.assign_connection("ann", group["identifier"], is_connection_group=True)
assert api.users.user_permissions("ann")["connectionPermissions"] == {number: ["READ"]}
assert number in api.users.user_effective_permissions("ann")["connectionPermissions"]
ann = log_in("ann", "first")
assert list(ann.connections.list()) == [number]
refused(403, lambda: ann.connections.delete(number))
refused(403, lambda: ann.connections.create(wanted))
api.users.revoke_connection("ann", number)
assert ann.connections.list() == {}
api.users.update("ann", {"username": "ann", "password": "second", "attributes": {}})
log_in("ann", "second")

profile = api.sharing_profiles.create(
    {"primaryConnectionIdentifier": number, "name": "watch", "parameters": {"read-only": "true"}, "attributes": {}}
)
assert api.sharing_profiles.parameters(profile["identifier"]) == {"read-only": "true"}
assert api.active_connections.list() == {}
assert api.active_connections.kill("none") is None

api.sharing_profiles.delete(profile["identifier"])
api.connections.delete(number)
api.connection_groups.delete(group["identifier"])
api.user_groups.delete("students")
api.users.delete("ann")
print("everything was made and removed")
