// Pins the commands that the cluster is built from; see ../builds.ts.

//go:build tools

package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
)
