// Reads a Grafana dashboard from standard input with Grafana's own types: a field that a panel, its
// options or its query have not, or a value of another type, ends it. Prints how many panels it has.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	text, err := io.ReadAll(os.Stdin)
	found := dashboard.Dashboard{}
	for _, each := range []error{err, found.UnmarshalJSONStrict(text), found.Validate()} {
		// The library's errors may be a list without entries, which is no nil.
		if each != nil && each.Error() != "" {
			fmt.Fprintln(os.Stderr, each)
			os.Exit(1)
		}
	}
	fmt.Println(len(found.Panels))
}
