# An audit log of a day with alice, and a config that takes a permission from her. There is no upstream: what was decided
# counts, not what came of it.
portcullis pki new-cert --cn alice --key alice.key --csr alice.csr > /dev/null
portcullis pki sign-csr --csr alice.csr --cert alice.crt > /dev/null
sed -i 's/my-api-client/alice/; s|\["GET /api/\*"\].*|["GET /api/*", "POST /jobs/*", "DELETE /*"]|' gateway.toml
printf '\n[audit_log]\npath = "audit.log"\n' >> gateway.toml
sed 's|"POST /jobs/\*", ||' gateway.toml > gateway.new.toml
portcullis run -c gateway.toml > /dev/null &
until (exec 3<> /dev/tcp/127.0.0.1/8443) 2> /dev/null; do kill -0 $!; sleep 0.05; done
client="curl -s -o /dev/null --cacert pki/ca.crt --cert alice.crt --key alice.key"
$client "https://localhost:8443/api/hosts/[1-8]" "https://localhost:8443/api/hosts/[1-8]"
$client -X POST "https://localhost:8443/jobs/1?[1-3]"
kill $!
wait $!
