// A Log Analytics workspace of the monitor's own, for those who bring none.

@description('Name of the workspace.')
@minLength(4)
@maxLength(63)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Days that rows are kept where the table says nothing else.')
@minValue(30)
@maxValue(730)
param retentionDays int

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    features: {
      // Only Entra ID identities write; the workspace's keys open nothing.
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

@description('Resource id.')
output id string = workspace.id
