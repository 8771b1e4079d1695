#!/usr/bin/env bash
# Reads the manifests of deploy/kubernetes by the types of Kubernetes' own API, strictly: a field that there is
# not, or of another kind, is an error. No cluster is asked. Skipped if the module cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
manifests=$PWD/deploy/kubernetes
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >main.go <<'G'
package main

import (
	"bytes"
	"fmt"
	"os"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	read := 0
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			var kind meta.TypeMeta
			if err := yaml.Unmarshal(document, &kind); err != nil {
				panic(err)
			}
			objects := map[string]any{
				"v1 Service": &core.Service{}, "v1 PersistentVolumeClaim": &core.PersistentVolumeClaim{},
				"apps/v1 StatefulSet": &apps.StatefulSet{}, "apps/v1 Deployment": &apps.Deployment{},
			}
			object := objects[kind.APIVersion+" "+kind.Kind]
			if object == nil {
				fmt.Println(path, kind, "is none of the kinds that are known here")
				os.Exit(1)
			}
			if err := yaml.UnmarshalStrict(document, object); err != nil {
				fmt.Println(path, kind.Kind, err)
				os.Exit(1)
			}
			read++
		}
	}
	fmt.Println("kubernetes-test:", read, "objects are as the API has them")
}
G
export GOFLAGS=-mod=mod
go mod init manifests >/dev/null 2>&1
go get k8s.io/api@v0.35.0 k8s.io/apimachinery@v0.35.0 sigs.k8s.io/yaml@v1.6.0 >get.log 2>&1 ||
	{ echo "SKIPPED: kubernetes-test: the types of the API cannot be fetched: $(tail -n 1 get.log)" >&2; exit 0; }
go run . "$manifests"/*.yaml
