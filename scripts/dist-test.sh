#!/usr/bin/env bash
# Tries what `make dist` has made: digests, the list of what is in it, the glibc that the programs need, and runs,
# those for arm64 by qemu with Debian's libraries. Without apt-get the latter are skipped. make dist-test
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

[ -f dist/SHA256SUMS ] || { echo "dist-test: dist/ is not there; run make dist first" >&2; exit 1; }
(cd dist && sha256sum --check --quiet SHA256SUMS)
for kind in .deb .cdx.json; do
	compgen -G "dist/*$kind" >/dev/null || echo "dist-test: SKIPPED, make dist has made no $kind" >&2
done
if scripts/fetch-python.sh sbom 'cyclonedx-python-lib[json-validation]==11.12.0'; then
	.deps/sbom/bin/python - dist/*.cdx.json <<'END'
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

for path in sys.argv[1:]:
    text = open(path, encoding="utf-8").read()
    version = json.loads(text)["specVersion"]
    if fault := JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(text):
        sys.exit(f"{path} is no CycloneDX {version}: {fault}")
    print(f"{path}: CycloneDX {version}, {len(json.loads(text)['components'])} components")
END
else
	echo "dist-test: SKIPPED, the list of what is in the program was not validated" >&2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/empty"
settings=(--set system.q=2 --set system.size=4x4 --set model.bundle=pretrained/potts-q2 --set trainer.every=0
	--set run.walkers=64 --set run.workers=1 --set wang_landau.final_ln_f=1e-3 --set production.passes=300 --set metrics.listen=)

emulator() { # prints how programs for an architecture are executed, nothing where they simply are
	local host
	host=$(dpkg --print-architecture 2>/dev/null || uname -m)
	case "$1-$host" in
	amd64-amd64 | amd64-x86_64 | arm64-arm64 | arm64-aarch64) return 0 ;;
	arm64-*) ;;
	*) return 1 ;;
	esac
	if [ ! -e "$root/.deps/qemu/root/usr/bin/qemu-aarch64-static" ]; then
		mkdir -p "$root/.deps/qemu/packages"
		(cd "$root/.deps/qemu/packages" &&
			apt-get download qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross >&2 &&
			for package in *.deb; do dpkg -x "$package" ../root; done) || return 1
	fi
	echo "$root/.deps/qemu/root/usr/bin/qemu-aarch64-static -L $root/.deps/qemu/root/usr/aarch64-linux-gnu"
}

for archive in dist/neuralwl-*-linux-*.tar.gz; do
	name=$(basename "$archive" .tar.gz)
	tar -xzf "$archive" -C "$work"
	program=$work/$name/bin/nwl
	newest=$(grep -aoE 'GLIBC_2\.[0-9]+' "$program" | sort -uV | tail -n 1)
	echo "$name: needs $newest"
	[ "$(printf '%s\nGLIBC_2.17\n' "$newest" | sort -V | tail -n 1)" = GLIBC_2.17 ]
	if ! run=$(emulator "${name##*-}"); then
		echo "dist-test: SKIPPED, $name was not executed: it needs Debian's packages of qemu" >&2
		continue
	fi
	(cd "$work/empty" && env -u ONNXRUNTIME_LIB $run "$program" doctor &&
		env -u ONNXRUNTIME_LIB $run "$program" run "${settings[@]}" --out "$name" 2>&1 | tail -n 3)
done
if [ -f "$(echo "$work"/empty/*amd64/dos.csv)" ] && [ -f "$(echo "$work"/empty/*arm64/dos.csv)" ]; then
	echo "the run of amd64 and that of arm64:" # the last bits of ln q may differ
	(cd "$work/empty" && "$work"/neuralwl-*-linux-"$(dpkg --print-architecture)"/bin/nwl dos diff ./*amd64 ./*arm64)
fi
for package in dist/*.deb; do
	[ -e "$package" ] || continue
	command -v dpkg-deb >/dev/null || continue
	dpkg-deb --info "$package" | grep -E '^ (Package|Version|Architecture|Depends)'
	rm -rf "$work/deb"
	dpkg-deb -x "$package" "$work/deb"
	for file in man/man1/nwl-run.1.gz bash-completion/completions/nwl zsh/vendor-completions/_nwl fish/vendor_completions.d/nwl.fish; do
		[ -s "$work/deb/usr/share/$file" ] || { echo "dist-test: $package has no /usr/share/$file" >&2; exit 1; }
	done
	if run=$(emulator "$(dpkg-deb --field "$package" Architecture)"); then
		(cd "$work/empty" && env -u ONNXRUNTIME_LIB $run "$work/deb/usr/bin/nwl" doctor | tee "$work/doctor")
		grep -q /usr/lib/nwl "$work/doctor"
	fi
done
for wheel in dist/*.whl; do
	unzip -l "$wheel" 2>/dev/null | grep -E 'scripts/nwl|py.typed' || python3 -m zipfile -l "$wheel" | grep -E 'scripts/nwl|py.typed'
done
