//! What can be ordered, where, and for how much: only what is on sale, so that nobody learns a size here that can't be had.
//! Prices are net, in euros a month; close to the real ones, and not a promise.

use serde_json::{Value, json};

/// Name, description, city, country, network zone, latitude, longitude.
type Place = (&'static str, &'static str, &'static str, &'static str, &'static str, f64, f64);

const LOCATIONS: &[Place] = &[
    ("fsn1", "Falkenstein DC Park 1", "Falkenstein", "DE", "eu-central", 50.47612, 12.370071),
    ("nbg1", "Nuremberg DC Park 1", "Nuremberg", "DE", "eu-central", 49.452102, 11.076665),
    ("hel1", "Helsinki DC Park 1", "Helsinki", "FI", "eu-central", 60.169855, 24.938379),
    ("ash", "Ashburn, VA", "Ashburn, VA", "US", "us-east", 39.045821, -77.487073),
    ("hil", "Hillsboro, OR", "Hillsboro, OR", "US", "us-west", 45.54222, -122.951924),
    ("sin", "Singapore", "Singapore", "SG", "ap-southeast", 1.283333, 103.833333),
];

const EUROPE: &[&str] = &["fsn1", "nbg1", "hel1"];
const ELSEWHERE: &[&str] = &["ash", "hil", "sin"];
const EVERYWHERE: &[&str] = &["fsn1", "nbg1", "hel1", "ash", "hil", "sin"];

struct Size {
    name: &'static str,
    cores: u32,
    memory_gb: f64,
    disk_gb: u32,
    monthly: f64,
    places: &'static [&'static str],
}

const fn size(name: &'static str, shape: (u32, f64, u32), monthly: f64, places: &'static [&'static str]) -> Size {
    Size { name, cores: shape.0, memory_gb: shape.1, disk_gb: shape.2, monthly, places }
}

const SIZES: &[Size] = &[
    size("cx23", (2, 4.0, 40), 3.49, EUROPE),
    size("cx33", (4, 8.0, 80), 5.49, EUROPE),
    size("cx43", (8, 16.0, 160), 9.49, EUROPE),
    size("cx53", (16, 32.0, 320), 17.49, EUROPE),
    size("cax11", (2, 4.0, 40), 3.79, EUROPE),
    size("cax21", (4, 8.0, 80), 6.49, EUROPE),
    size("cax31", (8, 16.0, 160), 12.49, EUROPE),
    size("cax41", (16, 32.0, 320), 24.49, EUROPE),
    size("cpx12", (1, 2.0, 40), 4.49, EUROPE),
    size("cpx22", (2, 4.0, 80), 5.99, EUROPE),
    size("cpx32", (4, 8.0, 160), 10.49, EUROPE),
    size("cpx42", (8, 16.0, 320), 19.49, EUROPE),
    size("cpx52", (12, 24.0, 480), 27.99, EUROPE),
    size("cpx62", (16, 32.0, 640), 38.49, EUROPE),
    size("cpx11", (2, 2.0, 40), 4.49, ELSEWHERE),
    size("cpx21", (3, 4.0, 80), 8.49, ELSEWHERE),
    size("cpx31", (4, 8.0, 160), 15.99, ELSEWHERE),
    size("cpx41", (8, 16.0, 240), 30.49, ELSEWHERE),
    size("cpx51", (16, 32.0, 360), 60.99, ELSEWHERE),
    size("ccx13", (2, 8.0, 80), 12.49, EVERYWHERE),
    size("ccx23", (4, 16.0, 160), 24.49, EVERYWHERE),
    size("ccx33", (8, 32.0, 240), 48.49, EVERYWHERE),
    size("ccx43", (16, 64.0, 360), 96.49, EVERYWHERE),
    size("ccx53", (32, 128.0, 600), 192.49, EVERYWHERE),
    size("ccx63", (48, 192.0, 960), 287.99, EVERYWHERE),
];

/// Name, services, targets, connections, euros a month.
const BALANCERS: &[(&str, u32, u32, u32, f64)] =
    &[("lb11", 5, 25, 10_000, 5.39), ("lb21", 15, 75, 20_000, 16.40), ("lb31", 30, 150, 40_000, 32.90)];

/// Name, flavour, version, description.
const IMAGES: &[(&str, &str, &str, &str)] = &[
    ("ubuntu-24.04", "ubuntu", "24.04", "Ubuntu 24.04"),
    ("ubuntu-22.04", "ubuntu", "22.04", "Ubuntu 22.04"),
    ("debian-13", "debian", "13", "Debian 13"),
    ("debian-12", "debian", "12", "Debian 12"),
    ("rocky-9", "rocky", "9", "Rocky Linux 9"),
    ("alma-9", "alma", "9", "AlmaLinux 9"),
    ("fedora-42", "fedora", "42", "Fedora 42"),
    ("centos-stream-9", "centos", "stream9", "CentOS Stream 9"),
    ("opensuse-15", "opensuse", "15", "openSUSE Leap 15"),
];

const ISOS: &[(&str, &str, &str)] = &[
    ("debian-13.1.0-amd64-netinst.iso", "Debian 13.1 (amd64/netinstall)", "x86"),
    ("debian-13.1.0-arm64-netinst.iso", "Debian 13.1 (arm64/netinstall)", "arm"),
    ("virtio-win-0.1.271.iso", "virtio 0.1.271", "x86"),
];

/// Value added tax, percent.
const VAT: f64 = 19.0;
/// Hours that a month's price is reached in.
const HOURS: f64 = 624.0;
const TIB: u64 = 1 << 40;

/// The catalogue as the provider tells it, and how its prices are raised or lowered.
pub(super) struct Catalog {
    pub(super) locations: Vec<Value>,
    pub(super) server_types: Vec<Value>,
    pub(super) load_balancer_types: Vec<Value>,
    pub(super) images: Vec<Value>,
    pub(super) isos: Vec<Value>,
    factor: f64,
}

impl Catalog {
    /// With all prices times `factor`.
    /// `sold_out` says which sizes can't be had where.
    pub(super) fn new(factor: f64, sold_out: &[(String, String)]) -> Self {
        let places: Vec<Value> = LOCATIONS.iter().zip(1..).map(|(place, id)| location(id, place)).collect();
        let types = SIZES.iter().zip(101..).map(|(size, id)| server_type(id, size, factor));
        let balancers = BALANCERS.iter().zip(1..).map(|(balancer, id)| {
            let (name, services, targets, connections, monthly) = balancer;
            json!({
                "id": id, "name": name, "description": name.to_uppercase(), "max_services": services,
                "max_targets": targets, "max_connections": connections, "max_assigned_certificates": 10,
                "deprecated": null,
                "prices": EVERYWHERE.iter().map(|place| prices(place, monthly * factor, 20)).collect::<Vec<_>>(),
            })
        });
        let images = ["x86", "arm"].iter().flat_map(|architecture| IMAGES.iter().map(move |one| (one, *architecture)));
        let images = images.zip(45_557_056..).map(|(((name, flavour, version, words), architecture), id)| {
            json!({
                "id": id, "type": "system", "status": "available", "name": name, "description": words,
                "image_size": null, "disk_size": 5, "created": "2025-09-01T08:00:00Z", "created_from": null,
                "bound_to": null, "os_flavor": flavour, "os_version": version, "rapid_deploy": true,
                "protection": { "delete": false }, "deprecated": null, "deleted": null, "labels": {},
                "architecture": architecture,
            })
        });
        let isos = ISOS.iter().zip(9_001..).map(|((name, words, architecture), id)| {
            json!({ "id": id, "name": name, "description": words, "type": "public", "deprecation": null,
                    "architecture": architecture })
        });
        let mut server_types: Vec<Value> = types.collect();
        for one in &mut server_types {
            let name = one["name"].as_str().unwrap_or_default().to_owned();
            for place in one["locations"].as_array_mut().into_iter().flatten() {
                let gone = sold_out.iter().any(|(of, at)| *of == name && place["name"] == **at);
                place["available"] = json!(!gone);
                place["recommended"] = json!(!gone);
            }
        }
        Self {
            server_types,
            load_balancer_types: balancers.collect(),
            images: images.collect(),
            isos: isos.collect(),
            locations: places,
            factor,
        }
    }

    /// By id or name, as most fields allow.
    pub(super) fn find<'a>(list: &'a [Value], wanted: &Value) -> Option<&'a Value> {
        let id = wanted.as_i64().or_else(|| wanted.as_str()?.parse().ok());
        list.iter().find(|one| one["name"] == *wanted || id.is_some_and(|id| one["id"] == id))
    }

    /// `GET /pricing`
    pub(super) fn pricing(&self) -> Value {
        let listed = |list: &[Value]| -> Vec<Value> {
            list.iter().map(|one| json!({ "id": one["id"], "name": one["name"], "prices": one["prices"] })).collect()
        };
        let ip = |kind: &str, monthly: f64| {
            let place = |place: &&str| {
                let price = prices(place, monthly * self.factor, 0);
                json!({ "location": place, "price_hourly": price["price_hourly"], "price_monthly": price["price_monthly"] })
            };
            json!({ "type": kind, "prices": EVERYWHERE.iter().map(place).collect::<Vec<_>>() })
        };
        let floating = |kind: &str, monthly: f64| {
            let place = |place: &&str| json!({ "location": place, "price_monthly": amount(monthly * self.factor) });
            json!({ "type": kind, "prices": EVERYWHERE.iter().map(place).collect::<Vec<_>>() })
        };
        json!({
            "currency": "EUR",
            "vat_rate": format!("{VAT:.6}"),
            "image": { "price_per_gb_month": amount(0.011 * self.factor) },
            "volume": { "price_per_gb_month": amount(0.044 * self.factor) },
            "server_backup": { "percentage": "20.0000000000" },
            "floating_ip": { "price_monthly": amount(3.0 * self.factor) },
            "floating_ips": [floating("ipv4", 3.0), floating("ipv6", 1.0)],
            "primary_ips": [ip("ipv4", 0.5), ip("ipv6", 0.0)],
            "server_types": listed(&self.server_types),
            "load_balancer_types": listed(&self.load_balancer_types),
        })
    }
}

fn location(id: i64, place: &Place) -> Value {
    let (name, description, city, country, zone, latitude, longitude) = place;
    json!({
        "id": id, "name": name, "description": description, "country": country, "city": city,
        "latitude": latitude, "longitude": longitude, "network_zone": zone,
    })
}

fn server_type(id: i64, size: &Size, factor: f64) -> Value {
    let dedicated = size.name.starts_with("ccx");
    let arm = size.name.starts_with("cax");
    let category = match &size.name[..3] {
        "ccx" => "General Purpose",
        "cpx" => "Regular Performance",
        _ => "Cost-Optimized",
    };
    let places = LOCATIONS.iter().zip(1..).filter(|((name, ..), _)| size.places.contains(name));
    let places = places.map(|((name, ..), id)| json!({ "id": id, "name": name, "deprecation": null }));
    json!({
        "id": id, "name": size.name, "description": size.name.to_uppercase(), "category": category,
        "cores": size.cores, "memory": size.memory_gb, "disk": size.disk_gb, "storage_type": "local",
        "cpu_type": if dedicated { "dedicated" } else { "shared" }, "architecture": if arm { "arm" } else { "x86" },
        "deprecated": false, "deprecation": null, "locations": places.collect::<Vec<_>>(),
        "prices": size.places.iter().map(|place| prices(place, size.monthly * factor, 20)).collect::<Vec<_>>(),
    })
}

fn prices(place: &str, monthly: f64, included_tib: u64) -> Value {
    let traffic = if place == "sin" { 7.4 } else { 1.0 };
    json!({
        "location": place, "price_hourly": amount(monthly / HOURS), "price_monthly": amount(monthly),
        "included_traffic": included_tib * TIB, "price_per_tb_traffic": amount(traffic),
    })
}

fn amount(net: f64) -> Value {
    json!({ "net": format!("{net:.10}"), "gross": format!("{:.16}", net * (1.0 + VAT / 100.0)) })
}
