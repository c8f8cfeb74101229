//! Activation of a snapshot: binds all sockets that it needs, then makes it the active one.

use super::side_listeners::RunningSide;
use super::{Gateway, GatewayError, RunningListener};
use crate::admin::SideListener;
use crate::clock;
use crate::descriptors::{Budget, CLIENTS, Holders, RaisedLimit};
use crate::listener::BoundListener;
use crate::proxy::ProxyHandler;
use crate::snapshot::{AdminPlace, OwnExpiry, Snapshot};
use crate::telemetry::Metrics;
use std::net::SocketAddr;
use std::sync::Arc;

/// Sockets for a snapshot that is not active yet.
pub(super) struct BoundSockets {
    listeners: Vec<NewListener>,
    admin: Option<(AdminPlace, SideListener)>,
    metrics: Option<(SocketAddr, SideListener)>,
    descriptors: Budget,
}

/// A listener that was bound for a new snapshot.
struct NewListener {
    /// The address in the config.
    configured: SocketAddr,
    name: Arc<str>,
    socket: BoundListener,
}

impl BoundSockets {
    /// The admin listener, if it was bound anew.
    pub(super) fn admin_listener(&self) -> Option<&SideListener> {
        self.admin.as_ref().map(|(_, listener)| listener)
    }
}

impl Gateway {
    /// Binds the sockets of a snapshot that are not bound yet. Leaves running listeners unchanged.
    pub(super) async fn bind(&self, snapshot: &Snapshot) -> Result<BoundSockets, GatewayError> {
        let descriptors = self.divide_descriptors(snapshot)?;
        let mut bound = BoundSockets {
            listeners: Vec::new(),
            admin: None,
            metrics: None,
            descriptors,
        };
        for policy in snapshot.listeners.values() {
            let name = policy.name.clone();
            let address = policy.address;
            if self
                .listeners
                .get(&name)
                .is_some_and(|running| running.configured == address)
            {
                continue;
            }
            let socket = self.bind_listener(&name, address)?;
            bound.listeners.push(NewListener {
                configured: address,
                name,
                socket,
            });
        }
        if let Some(place) = &snapshot.process.admin
            && self
                .admin
                .as_ref()
                .is_none_or(|running| running.configured != *place)
        {
            bound.admin = Some((
                place.clone(),
                self.bind_admin(place, &snapshot.process).await?,
            ));
        }
        if let Some(address) = snapshot.process.metrics
            && self
                .metrics
                .as_ref()
                .is_none_or(|running| running.configured != address)
        {
            bound.metrics = Some((
                address,
                self.bind_metrics(address, &snapshot.process).await?,
            ));
        }
        Ok(bound)
    }

    fn bind_listener(
        &self,
        name: &Arc<str>,
        address: SocketAddr,
    ) -> Result<BoundListener, GatewayError> {
        // Binding an address that is in use would fail, so the socket of the old listener is reused.
        let predecessor = self
            .listeners
            .values()
            .find(|running| running.configured == address && address.port() != 0);
        let socket = match predecessor {
            Some(running) => running.bound.renamed(name.clone()),
            None => BoundListener::bind(name.clone(), address, self.threads.workers().count()),
        };
        socket.map_err(|source| {
            let has_port =
                |running: &RunningListener| running.bound.address().port() == address.port();
            let is_own_port = predecessor.is_none() && self.listeners.values().any(has_port);
            let hint = if is_own_port {
                "; a listener of ours has this port, so only a restart can do this"
            } else {
                ""
            };
            GatewayError::Bind {
                address,
                what: format!("listener \"{name}\"{hint}"),
                source,
            }
        })
    }

    fn divide_descriptors(&self, snapshot: &Snapshot) -> Result<Budget, GatewayError> {
        let holders = Holders {
            inherited: self.inherited,
            workers: self.threads.workers().count(),
            listeners: snapshot.listeners.len(),
        };
        Ok(Budget::divide(self.descriptors.now, holders)?)
    }

    /// Logs how file descriptors are divided, at start and after a change.
    fn log_descriptors(&self, budget: Budget, generation: u64) {
        if generation == 1 || CLIENTS.limit() != budget.clients {
            let RaisedLimit { at_start, now } = self.descriptors;
            let Budget {
                clients,
                upstreams,
                reserve,
            } = budget;
            tracing::info!(
                limit = now,
                soft_at_start = at_start,
                clients,
                upstreams,
                reserve,
                "file descriptors divided"
            );
        }
    }

    /// Makes a snapshot the active one. Every load passes through here. Cannot fail.
    pub(super) fn activate(&mut self, snapshot: Arc<Snapshot>, bound: BoundSockets) {
        self.log_descriptors(bound.descriptors, snapshot.generation);
        bound.descriptors.activate();
        self.shared
            .telemetry
            .audit_version(snapshot.generation, snapshot.overlay);
        self.shared
            .telemetry
            .remember_decisions_for(snapshot.process.recent_decisions);
        self.shared.activate(snapshot.clone());
        self.publish(&snapshot);
        let changed: Vec<Arc<str>> = bound
            .listeners
            .iter()
            .map(|listener| listener.name.clone())
            .collect();
        let is_replaced = |name: &Arc<str>, _: &mut RunningListener| {
            changed.contains(name) || !snapshot.listeners.contains_key(name)
        };
        for (_, RunningListener { bound, drain, .. }) in self.listeners.extract_if(is_replaced) {
            // In this order: the accept loops then serve the clients in the backlog of sockets that no listener takes
            // over.
            drop(bound);
            drain.begin_alone();
        }
        for NewListener {
            configured,
            name,
            mut socket,
        } in bound.listeners
        {
            let drain = self.drain.child();
            let handler = Arc::new(ProxyHandler::new(self.shared.clone(), name.clone()));
            tracing::info!(listener = &*name, address = %socket.address(), "listening");
            socket.accept(
                self.threads.workers(),
                handler,
                &self.shared.telemetry,
                &drain,
            );
            self.listeners.insert(
                name,
                RunningListener {
                    configured,
                    bound: socket,
                    drain,
                },
            );
        }
        self.facts.loaded(self.addresses());
        self.activate_side_listeners(&snapshot, bound.admin, bound.metrics);
    }

    fn activate_side_listeners(
        &mut self,
        snapshot: &Snapshot,
        admin: Option<(AdminPlace, SideListener)>,
        metrics: Option<(SocketAddr, SideListener)>,
    ) {
        if self.admin.as_ref().map(|running| &running.configured) != snapshot.process.admin.as_ref()
        {
            self.admin = None;
        }
        if self.metrics.as_ref().map(|running| running.configured) != snapshot.process.metrics {
            self.metrics = None;
        }
        if let Some((configured, listener)) = admin {
            match listener.address() {
                Some(address) => tracing::info!(%address, "admin listening"),
                None => tracing::info!(address = %configured, "admin listening"),
            }
            self.admin = Some(RunningSide::serve(configured, listener, self.side_state()));
        }
        if let Some((configured, listener)) = metrics {
            let address = listener.address().unwrap_or(configured);
            tracing::info!(%address, "metrics listening");
            self.metrics = Some(RunningSide::serve(configured, listener, self.side_state()));
        }
    }

    fn publish(&self, snapshot: &Snapshot) {
        let metrics = &self.shared.telemetry.metrics;
        metrics
            .generation
            .set(i64::try_from(snapshot.generation).unwrap_or(i64::MAX));
        metrics.loaded_at.set(clock::signed_seconds());
        if snapshot.generation == 1 {
            metrics.reload_last_success.set(1);
        }
        publish_overlay(metrics, snapshot);
        metrics.certificate_not_after.reset();
        for OwnExpiry {
            kind,
            name,
            not_after,
            ..
        } in &snapshot.expiries
        {
            let gauge = metrics
                .certificate_not_after
                .with_label_values(&[*kind, name.as_str()]);
            // Of several anchors, the first expiry is reported.
            if gauge.get() == 0 || *not_after < gauge.get() {
                gauge.set(*not_after);
            }
        }
    }
}

/// Publishes the metrics that an overlay can change.
pub(super) fn publish_overlay(metrics: &Metrics, snapshot: &Snapshot) {
    metrics
        .overlay
        .set(i64::try_from(snapshot.overlay).unwrap_or(i64::MAX));
    metrics
        .api_users
        .set(i64::try_from(snapshot.users.len()).unwrap_or(i64::MAX));
    publish_revocation(metrics, snapshot);
}

fn publish_revocation(metrics: &Metrics, snapshot: &Snapshot) {
    let as_gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    metrics.crl_next_update.reset();
    metrics.crl_active_until.reset();
    metrics.crl_entries.reset();
    metrics.deny_list_entries.reset();
    for domain in &snapshot.trust_domains {
        let revocation = domain.revocation();
        revocation.log_ages();
        metrics
            .deny_list_entries
            .with_label_values(&[&*domain.name])
            .set(as_gauge(revocation.denied_entries()));
        for facts in revocation.facts() {
            let labels = [&*domain.name, facts.issuer.as_str()];
            metrics
                .crl_entries
                .with_label_values(&labels)
                .add(as_gauge(facts.entries));
            let due = facts.next_update.unwrap_or(0);
            let gauge = metrics.crl_next_update.with_label_values(&labels);
            // An issuer may have one list for leaves and one for CAs. The first due date is reported.
            if gauge.get() == 0 || due < gauge.get() {
                gauge.set(due);
            }
            // Lists that are accepted at any age have no end, and no gauge.
            let until = Some(facts.counts_until)
                .filter(|until| *until < i64::MAX)
                .map(|until| until.max(1));
            let gauge = metrics.crl_active_until.with_label_values(&labels);
            if let Some(until) = until.filter(|until| gauge.get() == 0 || *until < gauge.get()) {
                gauge.set(until);
            }
        }
    }
}
