// The queries as a pack, to pick from in the portal's list of queries.
targetScope = 'resourceGroup'

@description('Region of the pack.')
param location string

@description('Tags of the pack.')
param tags object

@description('Name of the pack.')
param name string

var queries = [
  {
    name: 'blobs-waiting'
    title: 'Blobs waiting for import'
    query: loadTextContent('../queries/blobs-waiting.kql')
  }
  {
    name: 'expiring-credentials'
    title: 'Expiring credentials'
    query: loadTextContent('../queries/expiring-credentials.kql')
  }
  {
    name: 'failed-runs-by-cause'
    title: 'Failed runs by cause'
    query: loadTextContent('../queries/failed-runs-by-cause.kql')
  }
  {
    name: 'latest-state'
    title: 'Latest state of every condition'
    query: loadTextContent('../queries/latest-state.kql')
  }
  {
    name: 'monitor-health'
    title: 'Monitor health'
    query: loadTextContent('../queries/monitor-health.kql')
  }
  {
    name: 'mute-list'
    title: 'Mute list'
    query: loadTextContent('../queries/mute-list.kql')
  }
  {
    name: 'open-findings'
    title: 'Open findings and how to fix them'
    query: loadTextContent('../queries/open-findings.kql')
  }
  {
    name: 'runs'
    title: 'Runs with cause and fix'
    query: loadTextContent('../queries/runs.kql')
  }
  {
    name: 'runs-by-hour'
    title: 'Runs by hour'
    query: loadTextContent('../queries/runs-by-hour.kql')
  }
  {
    name: 'success-rate'
    title: 'Success rate and duration by pipeline'
    query: loadTextContent('../queries/success-rate.kql')
  }
  {
    name: 'time-to-finding'
    title: 'Time from failure to finding'
    query: loadTextContent('../queries/time-to-finding.kql')
  }
  {
    name: 'transfer-timeline'
    title: 'Time line of one blob'
    query: loadTextContent('../queries/transfer-timeline.kql')
  }
]

resource pack 'Microsoft.OperationalInsights/queryPacks@2019-09-01' = {
  name: name
  location: location
  tags: tags
  properties: {}
}

resource packQueries 'Microsoft.OperationalInsights/queryPacks/queries@2019-09-01' = [for item in queries: {
  parent: pack
  // The service takes nothing but a GUID here.
  name: guid(pack.id, item.name)
  properties: {
    displayName: 'ACR Transfer: ${item.title}'
    // The file's first line says what it is for.
    description: substring(replace(first(split(item.query, '\n')), '\r', ''), 3)
    body: item.query
    related: {
      resourceTypes: ['microsoft.operationalinsights/workspaces']
    }
    tags: {
      labels: ['ACR Transfer']
    }
  }
}]
