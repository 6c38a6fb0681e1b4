// SPDX-License-Identifier: Apache-2.0
//
// Every program of Kubernetes in one, chosen by the name that it is called by: they share most of their code.
package main

import (
	goflag "flag"
	"math/rand"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	rand.Seed(time.Now().UnixNano())
	var c *cobra.Command
	norm := func() { pflag.CommandLine.SetNormalizeFunc(cliflag.WordSepNormalizeFunc) }
	switch filepath.Base(os.Args[0]) {
	case "kube-apiserver":
		c = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		c = kcm.NewControllerManagerCommand()
	case "kube-scheduler":
		c = scheduler.NewSchedulerCommand()
		norm()
	case "kubelet":
		c = kubelet.NewKubeletCommand()
	case "kube-proxy":
		c = proxy.NewProxyCommand()
		norm()
		pflag.CommandLine.AddGoFlagSet(goflag.CommandLine)
	case "kubectl":
		c = kubectl.NewDefaultKubectlCommand()
		norm()
		pflag.CommandLine.AddGoFlagSet(goflag.CommandLine)
	default:
		os.Stderr.WriteString("call me kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy or kubectl\n")
		os.Exit(2)
	}
	logs.InitLogs()
	defer logs.FlushLogs()
	if c.Execute() != nil {
		os.Exit(1)
	}
}
