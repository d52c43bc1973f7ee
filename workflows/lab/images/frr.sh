#!/bin/sh
# Makes the root file system of a router's image from Debian's packages: FRR, iproute2, ping, tcpdump, busybox. Nothing is installed on this
# machine, and no registry is asked: packages come from the sources that apt knows. Takes Debian or a relative of it; root or not.
#
#   frr.sh [frr.tar]                         makes the tarball (some 60 MB)
#   docker import \
#     -c 'ENTRYPOINT ["/usr/local/bin/router"]' frr.tar frr:local
#
# A node of this image reads /etc/frr/daemons (`ospfd=yes`, a line for each daemon; zebra always runs) and /etc/frr/frr.conf, and needs the
# capabilities NET_ADMIN, NET_RAW and SYS_ADMIN. `vtysh -c 'show ip route'` asks it.
set -eu

out=${1:-frr.tar}
packages='frr iproute2 iputils-ping tcpdump busybox-static'
# They come along as dependencies of maintainer scripts and of what isn't used in a container; the scripts don't run here.
without='adduser cron cron-daemon-common debconf dpkg init-system-helpers logrotate lsof passwd perl perl-base perl-modules-5.36
  libperl5.36 libpam-modules-bin libpam-runtime sensible-utils tar usrmerge readline-common libtirpc-common'

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { echo "frr.sh: takes apt-get and dpkg-deb (Debian)" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$work/packages/partial" "$work/root"
: >"$work/status"

# With an empty list of installed packages apt resolves the whole closure. It goes nowhere near this machine's own state.
fetch() {
  # shellcheck disable=SC2086
  apt-get install -y -qq --download-only --no-install-recommends \
    -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/packages" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o Debug::NoLocking=1 -o APT::Sandbox::User= $packages >"$work/log" 2>&1
}
fetch || { sleep 5; fetch; } || { cat "$work/log" >&2; echo "frr.sh: the packages can't be had; \`apt-get update\` may help" >&2; exit 1; }

cd "$work/root"
for folder in bin sbin lib; do mkdir -p "usr/$folder"; ln -s "usr/$folder" "$folder"; done
mkdir -p usr/lib64 etc/frr proc sys dev tmp var/tmp run/frr var/run var/log root usr/local/bin
ln -s usr/lib64 lib64
chmod 1777 tmp var/tmp
for package in "$work"/packages/*.deb; do
  name=$(basename "$package"); name=${name%%_*}
  case " $(echo $without) " in *" $name "*) continue ;; esac
  dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink --no-same-owner \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/lintian/*' \
    --exclude='./usr/share/bash-completion/*' --exclude='./usr/share/snmp/*' --exclude='./usr/lib/systemd/*' --exclude='./lib/systemd/*'
done

# Programs that the packages don't bring; what is there stays.
for applet in $(usr/bin/busybox --list 2>/dev/null || busybox --list); do
  [ -e "usr/bin/$applet" ] || [ -e "usr/sbin/$applet" ] || ln -s busybox "usr/bin/$applet"
done

cat >etc/passwd <<'END'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
frr:x:101:101:FRR:/nonexistent:/usr/sbin/nologin
END
printf 'root:x:0:\nnogroup:x:65534:\nfrr:x:101:\nfrrvty:x:102:root,frr\n' >etc/group
[ -s etc/frr/frr.conf ] || printf 'frr defaults traditional\n' >etc/frr/frr.conf
printf 'zebra=yes\n' >etc/frr/daemons
printf 'service integrated-vtysh-config\n' >etc/frr/vtysh.conf
# Who is root in the container may talk to its daemons.
mkdir -p etc/pam.d
printf 'auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n' >etc/pam.d/frr

cat >usr/local/bin/router <<'END'
#!/bin/sh
# The first process of a router: starts the daemons that /etc/frr/daemons names, has them watched, and ends them when it is told to.
case ${1:-} in
  start) exec "/usr/lib/frr/$2" -d -A 127.0.0.1 -u root -g root ;;
  stop) kill "$(cat "/var/run/frr/$2.pid")" 2>/dev/null; exit 0 ;;
  restart) "$0" stop "$2"; sleep 1; exec "$0" start "$2" ;;
esac
mkdir -p /var/run/frr
rm -f /var/run/frr/*
daemons=zebra
for daemon in mgmtd staticd bgpd ospfd ospf6d ripd ripngd isisd bfdd pimd ldpd eigrpd babeld vrrpd fabricd pbrd; do
  grep -q "^$daemon=yes" /etc/frr/daemons && [ -x "/usr/lib/frr/$daemon" ] && daemons="$daemons $daemon"
done
ending=
end() { ending=1; kill "$watcher" 2>/dev/null; for daemon in $daemons; do "$0" stop "$daemon"; done; }
trap end TERM INT
# shellcheck disable=SC2086
for daemon in $daemons; do "$0" start "$daemon"; done
# Daemons read their part of the one file when it is given to them.
vtysh -b || echo "router: /etc/frr/frr.conf has a mistake" >&2
# shellcheck disable=SC2086
/usr/lib/frr/watchfrr -s "$0 start %s" -r "$0 restart %s" -k "$0 stop %s" $daemons &
watcher=$!
while [ -z "$ending" ]; do
  wait "$watcher"
  [ -n "$ending" ] || kill -0 "$watcher" 2>/dev/null || { echo "router: the watcher has ended" >&2; exit 1; }
done
END
chmod 755 usr/local/bin/router

tar -c --numeric-owner --owner=0 --group=0 -f "$work/done.tar" .
cd - >/dev/null
mv "$work/done.tar" "$out"
echo "$out: $(du -m "$out" | cut -f1) MB. Next:"
echo "  docker import -c 'ENTRYPOINT [\"/usr/local/bin/router\"]' $out frr:local"
