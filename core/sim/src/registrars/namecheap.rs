//! Namecheap: one address for everything, answers in XML that are 200 also when they are errors.

use std::sync::Arc;

use super::book::{Book, Domain, Standing, USER, are_servers, standing};
use crate::{Failure, Request, Response, Simulator};

pub(super) struct Namecheap {
    pub book: Arc<Book>,
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn envelope(status: &str, errors: &str, command: &str, body: &str) -> Response {
    let command = escaped(command);
    Response::xml(
        200,
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<ApiResponse Status=\"{status}\" \
             xmlns=\"http://api.namecheap.com/xml.response\">{errors}<Warnings />\
             <RequestedCommand>{command}</RequestedCommand>{body}<Server>PHX01SBAPIEXT05</Server>\
             <GMTTimeDifference>--4:00</GMTTimeDifference><ExecutionTime>0.02</ExecutionTime></ApiResponse>"
        ),
    )
}

fn done(command: &str, body: &str) -> Response {
    let body = format!("<CommandResponse Type=\"{}\">{body}</CommandResponse>", escaped(command));
    envelope("OK", "<Errors />", command, &body)
}

fn refused(command: &str, number: &str, message: &str) -> Response {
    let errors = format!("<Errors><Error Number=\"{}\">{}</Error></Errors>", escaped(number), escaped(message));
    envelope("ERROR", &errors, command, "")
}

/// The parameters: of the query, and of the body if it is a form.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(request: &Request) -> Self {
        Self(request.query.iter().cloned().chain(request.form()).collect())
    }

    fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn command(&self) -> String {
        self.get("Command").to_ascii_lowercase()
    }
}

impl Namecheap {
    fn list(&self, command: &str, parameters: &Parameters) -> Response {
        let number = |name: &str, default: usize| parameters.get(name).parse().unwrap_or(default);
        let (page, size) = (number("Page", 1).max(1), number("PageSize", 20).clamp(10, 100));
        let names = self.book.names();
        let total = names.len();
        let domain = |(index, name): (usize, &String)| {
            format!(
                "<Domain ID=\"{}\" Name=\"{name}\" User=\"{USER}\" Created=\"05/01/2020\" Expires=\"05/01/2030\" \
                 IsExpired=\"false\" IsLocked=\"false\" AutoRenew=\"true\" WhoisGuard=\"ENABLED\" IsPremium=\"false\" \
                 IsOurDNS=\"false\" />",
                127 + index
            )
        };
        let shown: String = names.iter().enumerate().skip((page - 1) * size).take(size).map(domain).collect();
        let paging = format!(
            "<Paging><TotalItems>{total}</TotalItems><CurrentPage>{page}</CurrentPage><PageSize>{size}</PageSize></Paging>"
        );
        done(command, &format!("<DomainGetListResult>{shown}</DomainGetListResult>{paging}"))
    }

    fn glue(&self, command: &str, name: &str, domain: &Domain, parameters: &Parameters) -> Response {
        let host = parameters.get("Nameserver").to_ascii_lowercase();
        let there = domain.glue.get(&host).and_then(|all| all.first());
        if (command == "namecheap.domains.ns.create") == there.is_some() {
            return refused(command, "2011166", "Nameserver doesn't exist, or exists already");
        }
        let address = parameters.get("IP").to_owned();
        match command {
            "namecheap.domains.ns.getinfo" => {
                let address = there.cloned().unwrap_or_default();
                let statuses = "<NameserverStatuses><Status>OK</Status></NameserverStatuses>";
                let body = format!(
                    "<DomainNSInfoResult Domain=\"{name}\" Nameserver=\"{host}\" IP=\"{address}\">{statuses}</DomainNSInfoResult>"
                );
                return done(command, &body);
            }
            "namecheap.domains.ns.update" if there.is_none_or(|old| old != parameters.get("OldIP")) => {
                return refused(command, "2015166", "OldIP isn't the nameserver's");
            }
            "namecheap.domains.ns.delete" => {
                self.book.change(name, |domain| domain.glue.remove(&host));
                return done(command, &format!("<DomainNSDeleteResult Domain=\"{name}\" IsSuccess=\"true\" />"));
            }
            _ => {}
        }
        if address.parse::<std::net::Ipv4Addr>().is_err() {
            return refused(command, "2011170", "IP is invalid");
        }
        self.book.change(name, |domain| domain.glue.insert(host, vec![address]));
        done(command, &format!("<DomainNSResult Domain=\"{name}\" IsSuccess=\"true\" />"))
    }

    fn set(&self, command: &str, name: &str, domain: &Domain, parameters: &Parameters) -> Response {
        let servers: Vec<String> = parameters.get("Nameservers").split(',').map(str::to_owned).collect();
        if domain.closed {
            return refused(command, "2030166", "Edit permission for domain is not supported");
        }
        if !are_servers(&servers) {
            return refused(command, "2011170", "Nameservers are invalid");
        }
        self.book.change(name, |domain| domain.nameservers = servers);
        done(command, &format!("<DomainDNSSetCustomResult Domain=\"{name}\" Updated=\"true\" />"))
    }
}

impl Simulator for Namecheap {
    fn operation(&self, request: &Request) -> String {
        let command = Parameters::of(request).command();
        command.strip_prefix("namecheap.").map_or(command.clone(), str::to_owned)
    }

    fn answer(&self, request: &Request, _: Option<&Failure>) -> Response {
        let parameters = Parameters::of(request);
        let command = &parameters.command();
        for name in ["ApiUser", "ApiKey", "UserName", "ClientIp"] {
            if parameters.get(name).is_empty() {
                return refused(command, "1010102", &format!("Parameter {name} is missing"));
            }
        }
        let standing = standing(parameters.get("ApiKey")).filter(|_| parameters.get("ApiUser") == USER);
        let changes = command.contains(".set") || command.contains(".create") || command.contains(".update");
        match standing {
            None => return refused(command, "1011102", "API Key is invalid or API access has not been enabled"),
            Some(Standing::Elsewhere) => {
                let address = parameters.get("ClientIp");
                return refused(command, "1011150", &format!("Invalid request IP: {address}"));
            }
            Some(Standing::Ineligible) => return refused(command, "1017101", "ApiUser is disabled or locked"),
            Some(Standing::ReadOnly) if changes || command.contains(".delete") => {
                return refused(command, "1016103", "UserName isn't authorised for this command");
            }
            Some(_) => {}
        }
        match command.as_str() {
            "namecheap.users.getbalances" => {
                let body = "<UserGetBalancesResult Currency=\"USD\" AvailableBalance=\"4932.96\" AccountBalance=\"4932.96\" \
                            EarnedAmount=\"381.70\" WithdrawableAmount=\"1243.36\" FundsRequiredForAutoRenew=\"0.00\" />";
                return done(command, body);
            }
            "namecheap.domains.getlist" => return self.list(command, &parameters),
            _ => {}
        }
        let name = format!("{}.{}", parameters.get("SLD"), parameters.get("TLD"));
        // The two parts have to be cut where the registry does: `ours.co` and `uk` is somebody else's.
        let cut = name == "ours.co.uk" && parameters.get("TLD") != "co.uk";
        let Some(domain) = self.book.get(&name).filter(|_| !cut) else {
            return refused(command, "2019166", "Domain not found");
        };
        match command.as_str() {
            "namecheap.domains.dns.getlist" => {
                let servers: String =
                    domain.nameservers.iter().map(|one| format!("<Nameserver>{one}</Nameserver>")).collect();
                let head = format!("<DomainDNSGetListResult Domain=\"{name}\" IsUsingOurDNS=\"false\">");
                done(command, &format!("{head}{servers}</DomainDNSGetListResult>"))
            }
            "namecheap.domains.dns.setcustom" => self.set(command, &name, &domain, &parameters),
            command if command.starts_with("namecheap.domains.ns.") => self.glue(command, &name, &domain, &parameters),
            _ => refused(command, "1010900", "Command is invalid"),
        }
    }

    fn failure(&self, request: &Request, failure: &Failure) -> Response {
        let command = Parameters::of(request).command();
        match failure.status {
            200 => refused(&command, &failure.code, failure.message.as_deref().unwrap_or("Unknown error")),
            status => Response::text(status, failure.code.clone()),
        }
    }

    fn limited(&self, request: &Request, seconds: u64) -> Response {
        let command = Parameters::of(request).command();
        // Told in the body: the status is 200, and no header says for how long.
        let _ = seconds;
        refused(&command, "500000", "Too many requests")
    }
}
