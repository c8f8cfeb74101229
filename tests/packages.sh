# Installs what is missing of tests/packages.txt, on Debian; sourced by tests/run and bench/run. The sourcing script stands
# in the root of the project and defines `say`.

# rustup puts cargo on the search path of login shells only; the servers stand where only root looks.
require_cargo() {
    export PATH="$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:/usr/sbin"
    if ! command -v cargo > /dev/null; then
        say "cargo is not installed; the Rust version needed is in Cargo.toml"
        exit 1
    fi
}

missing_packages() {
    local package _reason
    while read -r package _reason; do
        if [[ -n $package && $package != '#'* ]] && ! is_installed "$package"; then
            echo "$package"
        fi
    done < tests/packages.txt
}

is_installed() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2> /dev/null) == installed ]]
}

can_install() {
    command -v apt-get > /dev/null && { (( EUID == 0 )) || sudo -n true 2> /dev/null; }
}

install_packages() {
    say "installing $*"
    keep_services_stopped
    as_root apt-get update
    # RUNLEVEL=1 keeps services stopped where the init system is not systemd.
    if ! as_root DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"; then
        say "apt-get failed; \`cargo test\` runs the tests that need nothing of this"
        exit 1
    fi
    leave_services_disabled
}

# Installs the packages of tests/python-packages.txt in target/python; nothing of the system changes. Fails where PyPI cannot
# be reached.
install_python_packages() {
    local wanted=tests/python-packages.txt folder=target/python
    if cmp --quiet "$wanted" "$folder/installed.txt"; then
        return
    fi
    say "installing the packages of $wanted"
    rm -rf "$folder"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --only-binary :all: --target "$folder" \
        --requirement "$wanted" && cp "$wanted" "$folder/installed.txt"
}

# Some packages bring a service, and Debian starts and enables the services of new packages. The tests run their own
# daemons, so a machine that had no such service shall have none running afterwards. Where a package was installed
# before, its service stays as it is.
declare -A service_of=([icinga2-bin]=icinga2 [nginx]=nginx [haproxy]=haproxy)
new_services=()

keep_services_stopped() {
    local package
    for package in "${!service_of[@]}"; do
        if ! is_installed "$package"; then
            new_services+=("${service_of[$package]}")
        fi
    done
    if (( ${#new_services[@]} > 0 )) && [[ -d /run/systemd/system ]]; then
        trap unmask_services EXIT
        as_root systemctl --quiet --runtime mask "${new_services[@]/%/.service}"
    fi
}

unmask_services() {
    as_root systemctl --quiet --runtime unmask "${new_services[@]/%/.service}"
    trap - EXIT
}

leave_services_disabled() {
    local service
    if (( ${#new_services[@]} == 0 )); then
        return
    fi
    if [[ -d /run/systemd/system ]]; then
        unmask_services
    fi
    for service in "${new_services[@]}"; do
        as_root update-rc.d "$service" disable
    done
}

# `as_root [NAME=VALUE...] COMMAND...`
as_root() {
    if (( EUID == 0 )); then
        env "$@"
    else
        sudo -n env "$@"
    fi
}
